// The Node library `ws` with permessage-deflate, as `deflate_ws.py` wants it.
//
// Reads one task a line as JSON and answers each with a line of JSON:
//
//   {connect: URL, offers: [OPTIONS...], batch, messages}   a conversation for each offer, as a client
//   {serve: OPTIONS, batch, messages}                       first {port}, then a conversation with the next client
//
// A conversation results in {header, params} or {error}: the header that was answered, and what the library took it
// for. INTEROP_MODULES names the directory that `ws` is installed in.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { converse, decode, Queue } from './talk.mjs';

const require = createRequire(path.join(process.env.INTEROP_MODULES, 'package.json'));
const { WebSocket, WebSocketServer } = require('ws');

const server = createServer();
let accepting;

async function main() {
  server.on('upgrade', (...upgrade) => accepting(...upgrade));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await run(JSON.parse(line))));
  }
  server.close();
}

async function run(task) {
  if (task.connect) {
    const messages = decode(task.messages);
    const results = [];
    for (const offer of task.offers) results.push(await result(() => connected(task.connect, offer, messages, task.batch)));
    return { results };
  }
  return result(() => accepted(task.serve, decode(task.messages), task.batch));
}

async function result(body) {
  try {
    return await body();
  } catch (error) {
    return { error: error.message };
  }
}

async function connected(url, offer, messages, batch) {
  const socket = new WebSocket(url, { perMessageDeflate: offer && { ...offer, threshold: 0 }, maxPayload: 0 });
  const peer = new Peer(socket);
  let header;
  socket.on('upgrade', (response) => (header = response.headers['sec-websocket-extensions'] ?? null));
  await once(socket, 'open'); // or an error
  return { header, ...(await peer.converse(messages, batch)) };
}

async function accepted(options, messages, batch) {
  const perMessageDeflate = options && { ...options, threshold: 0 };
  const library = new WebSocketServer({ noServer: true, perMessageDeflate, maxPayload: 0 });
  let header = null;
  library.on('headers', (headers) => {
    for (const line of headers) if (line.startsWith('Sec-WebSocket-Extensions:')) header = line.split(': ')[1];
  });
  const connection = new Promise((resolve, reject) => {
    accepting = (request, socket, head) => {
      library.handleUpgrade(request, socket, head, (connected) => resolve(new Peer(connected)));
      reject(new Error('the library refused')); // unless it called back
    };
  });
  console.log(JSON.stringify({ port: server.address().port }));
  const peer = await connection;
  return { header, ...(await peer.converse(messages, batch)) };
}

class Peer {
  messages = new Queue();
  pings = [];

  constructor(socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
    socket.on('message', (data, binary) => this.messages.put(binary ? new Uint8Array(data) : data.toString()));
    socket.on('error', (error) => this.messages.fail(error));
    this.closed.then((code) => this.messages.fail(new Error(`closed with ${code}`)));
  }

  async converse(messages, batch) {
    try {
      await converse(messages, batch, (message) => this.send(message), () => this.messages.take());
      this.socket.close(1000);
      const code = await this.closed;
      if (code !== 1000) throw new Error(`closed with ${code}`);
      const [extension] = Object.values(this.socket._extensions);
      return { params: extension?.params ?? null };
    } finally {
      this.socket.terminate();
    }
  }

  send({ text, ping, parts }) {
    for (const [at, part] of parts.entries()) {
      if (ping) this.socket.ping(String(this.pings.push(at)));
      this.socket.send(part, { binary: !text, fin: at === parts.length - 1 });
    }
  }
}

await main();
