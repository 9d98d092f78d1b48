#!/usr/bin/env node
// Where the command begins, in words that any Node understands: an old one is told which it takes. In a checkout the sources run as
// they are; the package has JavaScript instead, for Node strips no types under node_modules.
'use strict'
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const needed = 24

if (Number.parseInt(process.versions.node, 10) < needed) {
  console.error(
    `l2sm: needs Node ${needed} or newer, and this is Node ${process.versions.node} (${process.execPath}): install one from https://nodejs.org/, or by your package manager`,
  )
  process.exit(1)
}
const built = join(__dirname, '../dist/cli/l2sm.js')
const source = join(__dirname, '../cli/l2sm.ts')
import(pathToFileURL(existsSync(source) ? source : built).href)
