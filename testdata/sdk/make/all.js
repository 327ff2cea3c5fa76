// Runs every SDK that package.json names, several at once.
'use strict'
const { spawn } = require('child_process')
for (const name of Object.keys(require('./package.json').dependencies).filter(n => /chat-|websdk-/.test(n)))
  spawn(process.execPath, [require('path').join(__dirname, 'run.js'), name], { stdio: 'inherit' })
