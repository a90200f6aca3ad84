"""A plant of your own on the Harmony Bridge bench. Needs pyzmq (Debian: python3-zmq).

Protocol: docs/reference/plant and docs/operating/hil-plants.md. What to write is an object with
  inputs   dict of numbers, with what the plant begins with; the bench changes them between steps
  step()   moves it by one step
  read()   dict of all signals, as finite numbers
  safe()   makes it safe; called whatever happens
"""
import json
import sys
import zmq

SILENCE_MS = 60_000  # Nothing heard for so long: the bench is gone.


def serve(plant, endpoint, model, step_us, signals, inputs):
    """Serves until the bench ends the run. signals, inputs: unit by name. Returns the exit code; 0 says that it is safe."""
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.linger, socket.rcvtimeo = 500, SILENCE_MS
    socket.connect(endpoint)
    say = {"type": "hello", "v": 1, "model": model, "step_us": step_us, "signals": signals, "inputs": inputs}
    at_us = 0
    try:
        while True:
            socket.send_string(json.dumps(say, allow_nan=False))
            heard = json.loads(socket.recv())
            if heard["type"] == "end":
                return 0
            plant.inputs.update(heard["inputs"])
            try:
                while at_us + step_us <= heard["until_us"]:
                    plant.step()
                    at_us += step_us
                say = {"type": "advanced", "n": heard["n"], "at_us": at_us, "signals": plant.read()}
                json.dumps(say, allow_nan=False)
            except Exception as error:
                say = {"type": "failed", "reason": f"{type(error).__name__}: {error}"[:500]}
    except zmq.Again:
        print(f"nothing heard for {SILENCE_MS} ms", file=sys.stderr)
        return 1
    finally:
        plant.safe()
