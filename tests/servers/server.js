// server.js PORT: for node: an HTTP server of two forked workers, with threads, streams, child processes, code that is
// compiled while it runs. Each path is a job; what it answers depends on the path alone.
'use strict';
const cluster = require('cluster');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function primes(below) {
  const sieve = new Uint8Array(below);
  let count = 0;
  for (let i = 2; i < below; i++) {
    if (sieve[i]) continue;
    count++;
    for (let j = 2 * i; j < below; j += i) sieve[j] = 1;
  }
  return count;
}

function objects(count) {
  const map = new Map();
  for (let i = 0; i < count; i++) map.set(`key ${i % 997}`, { i, list: Array.from({ length: i % 20 }, (_, k) => k * i) });
  return JSON.stringify([...map.values()]).length;
}

function thread(workerData) {
  return new Promise((resolve, reject) => {
    new Worker(__filename, { workerData }).on('message', resolve).on('error', reject);
  });
}

const jobs = {
  objects: async () => `${objects(50000)}\n`,
  compiled: async () => {
    const functions = Array.from({ length: 300 }, (_, i) => new Function('a', `let s = ${i}; for (let k = 0; k < 2000; k++) s = (s * 31 + a) | 0; return s;`));
    return `${functions.reduce((sum, f) => (sum + f(7)) | 0, 0)}\n`;
  },
  regexp: async () => `${'x=1;yy=22;'.repeat(5000).replace(/(?<name>\w+)=(\d+)/g, '$2:$<name>').length}\n`,
  threads: async () => `${(await Promise.all([20000, 50000, 90000].map(thread))).join(' ')}\n`,
  crypto: async () => {
    const crypto = require('crypto');
    const key = crypto.scryptSync('password', 'salt', 32, { N: 1024 });
    const cipher = crypto.createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
    const text = Buffer.concat([cipher.update('text '.repeat(1000)), cipher.final()]);
    return `${crypto.createHash('sha256').update(text).update(cipher.getAuthTag()).digest('hex')}\n`;
  },
  zlib: async () => {
    const { promisify } = require('util');
    const zlib = require('zlib');
    const text = Buffer.from('some text that repeats '.repeat(20000));
    const back = await promisify(zlib.gunzip)(await promisify(zlib.gzip)(text));
    const brotli = await promisify(zlib.brotliCompress)(text);
    return `${back.equals(text)} ${brotli.length}\n`;
  },
  wasm: async () => { // (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
    const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0,
      10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11];
    const { instance } = await WebAssembly.instantiate(new Uint8Array(bytes));
    let sum = 0;
    for (let i = 0; i < 100000; i++) sum = instance.exports.add(sum, i);
    return `${sum}\n`;
  },
  child: async () => {
    const { execFileSync, spawn } = require('child_process');
    const spawned = spawn('/bin/sh', ['-c', 'cat; echo errors >&2; exit 3']);
    const parts = [];
    spawned.stdout.on('data', (data) => parts.push(data));
    spawned.stderr.on('data', (data) => parts.push(data));
    spawned.stdin.end('through a pipe\n');
    const status = await new Promise((resolve) => spawned.on('close', resolve));
    return `${execFileSync('/bin/echo', ['a child'])}${parts.sort().join('')}${status}\n`;
  },
  dns: async () => `${(await require('dns').promises.lookup('127.0.0.1')).address}\n`,
  errors: async () => { // a deep recursion ends in a RangeError
    const deep = (n) => 1 + deep(n + 1);
    try { return `${deep(0)}`; } catch (error) { return `${error.name}\n`; }
  },
};

if (!isMainThread) {
  parentPort.postMessage(primes(workerData));
} else if (cluster.isPrimary) {
  cluster.setupPrimary({ args: process.argv.slice(2) });
  cluster.fork();
  cluster.fork();
  let stopping = false;
  cluster.on('exit', (worker, code, signal) => {
    if (stopping) return console.log(`a worker ended with ${code}`);
    console.log(`a worker was ended by ${signal}`);
    cluster.fork();
  });
  process.on('SIGTERM', () => {
    stopping = true;
    for (const worker of Object.values(cluster.workers)) worker.send('stop');
    cluster.on('exit', () => { if (Object.keys(cluster.workers).length === 0) process.exit(5); });
  });
} else {
  const server = require('http').createServer((request, response) => {
    const job = jobs[request.url.slice(1)];
    if (!job) { response.statusCode = 404; return response.end('no such job\n'); }
    job().then((text) => response.end(text), (error) => { response.statusCode = 500; response.end(`${error.stack}\n`); });
  });
  server.listen(Number(process.argv[2]), '127.0.0.1');
  process.on('message', () => { server.closeAllConnections(); server.close(() => process.exit(0)); });
}
