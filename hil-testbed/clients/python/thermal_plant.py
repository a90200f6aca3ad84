"""The built-in `thermal` plant once more, as an example: python3 thermal_plant.py ENDPOINT"""
import sys

import plant_client

STEP_US = 10_000
SIGNALS = {"temp_c": "°C", "heat_w": "W", "ambient_c": "°C"}
INPUTS = {"heater_on": "1", "cooling": "1", "heater_w": "W", "extra_heat_w": "W", "ambient_c": "°C"}
CAPACITY_J_K, RESISTANCE_K_W, COOLING_W_K = 60, 1, 4


class Thermal:
    def __init__(self):
        self.inputs = {"heater_on": 1, "cooling": 0, "heater_w": 40, "extra_heat_w": 0, "ambient_c": 20}
        self.temp_c = 60

    def heat_w(self):
        return self.inputs["heater_on"] * self.inputs["heater_w"] + self.inputs["extra_heat_w"]

    def step(self):
        share = STEP_US / 1_000_000 / CAPACITY_J_K
        loss = 1 / RESISTANCE_K_W + self.inputs["cooling"] * COOLING_W_K
        heat = self.heat_w() + loss * self.inputs["ambient_c"]
        self.temp_c = (self.temp_c + share * heat) / (1 + share * loss)

    def read(self):
        return {"temp_c": self.temp_c, "heat_w": self.heat_w(), "ambient_c": self.inputs["ambient_c"]}

    def safe(self):
        self.inputs.update(heater_on=0, cooling=1)


if __name__ == "__main__":
    sys.exit(plant_client.serve(Thermal(), sys.argv[1], "thermal in Python", STEP_US, SIGNALS, INPUTS))
