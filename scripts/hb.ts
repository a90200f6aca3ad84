#!/usr/bin/env node
import { runCommandLine } from './command-line.ts'
import { createProgram } from './program.ts'

void runCommandLine(createProgram(), process.argv.slice(2))
