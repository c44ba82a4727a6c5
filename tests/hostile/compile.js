// compile.js - for node: code that is compiled while it runs, worker threads, garbage, promises, a child process.
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { execFileSync } = require('child_process');

function hash(text) {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) | 0;
  return h;
}

function work() {
  let sum = 0;
  for (let i = 0; i < 20000; i++) sum = (sum + hash(JSON.stringify({ i, buffer: Buffer.alloc(i % 64).toString('hex') }))) | 0;
  return sum;
}

if (isMainThread) {
  const workers = [1, 2, 3].map(() => new Promise((resolve, reject) => {
    new Worker(__filename).on('message', resolve).on('error', reject);
  }));
  Promise.all(workers).then((sums) => {
    console.log(sums.join(' '), work());
    console.log(new Function('a', 'b', 'return a * b')(6, 7));
    console.log(execFileSync('/bin/echo', ['a child']).toString().trim());
  });
} else {
  parentPort.postMessage(work());
}
