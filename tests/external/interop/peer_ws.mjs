// The Node library `ws` as the other side.
//
// usage: node peer_ws.mjs server [deflate] URL       it is the client of the echo server at URL
//        node peer_ws.mjs client [deflate] COMMAND   it is the server of the terminal client
//
// With `deflate` it takes permessage-deflate and compresses every message, without it none.
// Prints one line a check; the last line is `N passed, N failed`. INTEROP_MODULES names the directory that `ws` is
// installed in.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.env.INTEROP_MODULES, 'package.json'));
const { WebSocket, WebSocketServer } = require('ws');

const LIMIT = 20_000; // milliseconds for anything that is waited for
const MIB = 1 << 20;

async function main() {
  const [mode, target, deflate] = [process.argv[2], process.argv.at(-1), process.argv.length > 4];
  const checks = new Checks();
  if (mode === 'server') {
    await echoChecks(checks, new ServerUnderTest(target, deflate));
  } else {
    const client = new ClientUnderTest(target, deflate);
    await client.listen();
    await echoChecks(checks, client);
    await clientChecks(checks, client);
    client.server.close();
  }
  process.exitCode = checks.finish();
}

// Runs named checks, prints one line for each, counts.
class Checks {
  passed = 0;
  failed = 0;
  names = new Set();

  async run(name, body) {
    assert(!this.names.has(name), `two checks are called ${name}`);
    this.names.add(name);
    try {
      await body();
      this.passed += 1;
      console.log(`ok    ${name}`);
    } catch (error) {
      this.failed += 1;
      const what = String(error.message).replace(/\s+/g, ' ').slice(0, 300);
      console.log(`FAIL  ${name}: ${error.name}: ${what}`);
    }
  }

  finish() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    return this.failed > 0 || this.passed === 0 ? 1 : 0;
  }
}

// One connection with its messages, pongs and Close in queues, so that nothing is missed.
class Peer {
  constructor(socket, masked) {
    this.socket = socket;
    this.masked = masked;
    this.messages = new Queue();
    this.pongs = new Queue();
    this.closed = new Queue();
    socket.on('message', (data, binary) => this.messages.put(binary ? data : data.toString()));
    socket.on('pong', (data) => this.pongs.put(data));
    socket.on('close', (code, reason) => this.closed.put({ code, reason: reason.toString() }));
    socket.on('error', () => {}); // shows in the Close
  }

  // Sends a frame past the library, which would refuse most of them.
  sendRaw(first, payload, options = {}) {
    const masked = options.masked === 'wrong' ? !this.masked : this.masked;
    this.socket._socket.write(frame(first, payload, masked, options));
  }

  async expectClose(code, reason) {
    const close = await this.closed.take('the end of the connection');
    assert.equal(close.code, code, `code of the Close: ${close.code}, not ${code}`);
    if (reason !== undefined) assert.equal(close.reason, reason);
  }
}

class Queue {
  items = [];
  waiting = [];

  put(item) {
    const waiter = this.waiting.shift();
    if (waiter) waiter(item);
    else this.items.push(item);
  }

  take(what) {
    if (this.items.length > 0) return Promise.resolve(this.items.shift());
    return limited(new Promise((resolve) => this.waiting.push(resolve)), what);
  }
}

class ServerUnderTest {
  constructor(url, deflate) {
    this.url = url;
    this.deflate = deflate;
  }

  // Calls `body` with a connection whose other end echoes.
  async echoing(body) {
    const socket = new WebSocket(this.url, { perMessageDeflate: compression(this.deflate), maxPayload: 0 });
    const peer = new Peer(socket, true);
    try {
      await limited(once(socket, 'open'), 'the connection');
      checkExtensions(socket, this.deflate);
      await body(peer);
    } finally {
      socket.terminate();
    }
  }
}

class ClientUnderTest {
  peers = new Queue();

  constructor(command, deflate) {
    this.command = command;
    this.deflate = deflate;
  }

  async listen() {
    const handleProtocols = (offered) => (offered.has('second') ? 'second' : false);
    const perMessageDeflate = compression(this.deflate);
    const options = { host: '127.0.0.1', port: 0, perMessageDeflate, maxPayload: 0, handleProtocols };
    this.server = new WebSocketServer(options);
    this.server.on('connection', (socket, request) => this.peers.put({ peer: new Peer(socket, false), request }));
    await once(this.server, 'listening');
    this.url = `ws://127.0.0.1:${this.server.address().port}/`;
  }

  // Starts the client with options and calls `body` with its process and its connection.
  async started(options, body) {
    const child = spawn(this.command, [...options, this.url]);
    const status = new Promise((resolve) => child.on('exit', resolve));
    const failed = new Promise((_, reject) => child.on('error', reject));
    const lines = new Queue();
    let [rest, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (data) => {
      const parts = (rest + data).split('\n');
      rest = parts.pop();
      parts.forEach((line) => lines.put(line));
    });
    const allErrors = new Promise((resolve) => child.stderr.on('end', () => resolve(errors)));
    child.stderr.setEncoding('utf8').on('data', (data) => (errors += data));
    child.stdin.on('error', () => {});
    const client = {
      stdin: child.stdin,
      line: () => lines.take('a line'),
      status: () => limited(status, 'the end of the client'),
      report: async () => (await limited(allErrors, 'the report')).trim().split('\n').at(-1),
    };
    try {
      const { peer, request } = await Promise.race([this.peers.take('the connection'), failed]);
      checkExtensions(peer.socket, this.deflate);
      await body(client, peer, request);
    } finally {
      child.kill('SIGKILL');
    }
  }

  // Like the server's, and looks at the exit status: 0 after a closing handshake, 1 where the client failed the connection.
  async echoing(body, clean = true) {
    await this.started(['--echo'], async (client, peer) => {
      await body(peer);
      peer.socket.close();
      assert.equal(await client.status(), clean ? 0 : 1, 'exit status');
    });
  }
}

async function echoChecks(checks, tested) {
  for (const size of [0, 1, 125, 126, 65535, 65536, MIB]) {
    await checks.run(`text of ${size} bytes`, () => checkEcho(tested, text(size)));
    await checks.run(`binary of ${size} bytes`, () => checkEcho(tested, randomBytes(size)));
  }
  await checks.run('fragments, with pings between them', () => checkFragments(tested));
  await checks.run('1 MiB binary in fragments of 1 KiB', () => checkLargeFragments(tested));
  for (const payload of ['', '\0ping', 'x'.repeat(125)]) {
    await checks.run(`a ping of ${payload.length} bytes comes back`, () => checkPing(tested, payload));
  }
  await checks.run('an unsolicited pong is no matter', () => checkPong(tested));
  const closes = [[1000, 'bye'], [1001, 'going away'], [3000, 'żegnaj'], [4999, 'x'.repeat(123)], [1000, '']];
  for (const [code, reason] of closes) {
    const bytes = Buffer.byteLength(reason);
    await checks.run(`Close ${code} with a reason of ${bytes} bytes is answered with its code alone`, () => checkClose(tested, code, reason));
  }
  await checks.run('a Close without a code is answered without one', () => checkEmptyClose(tested));
  await checks.run('a Close in the middle of a message is answered', () => checkCloseInMessage(tested));
  const bad = [
    // What is reserved depends on what was agreed.
    ['a reserved bit', 1002, tested.deflate ? 0xa1 : 0xc1, 'x'],
    ['a reserved opcode', 1002, 0x83, 'x'],
    ['a fragmented ping', 1002, 0x09, 'x'],
    ['a ping of 126 bytes', 1002, 0x89, 'x'.repeat(126)],
    ['a continuation of nothing', 1002, 0x80, 'x'],
    ['the masking of the other role', 1002, 0x81, 'x', { masked: 'wrong' }],
    ['a Close with 1006', 1002, 0x88, Buffer.from([0x03, 0xee])],
    ['text that is not UTF-8', 1007, 0x81, Buffer.from([0xc0, 0x80])],
    ['a fragment that cannot become UTF-8', 1007, 0x01, Buffer.from([0xf4, 0x90])],
    ['a length beyond every limit', 1009, 0x82, '', { length: 1n << 62n }],
  ];
  for (const [name, code, first, payload, options] of bad) {
    await checks.run(`${name}: Close ${code}`, () =>
      tested.echoing(async (peer) => {
        peer.sendRaw(first, Buffer.from(payload), options);
        await peer.expectClose(code);
      }, false));
  }
}

function checkEcho(tested, message) {
  return tested.echoing(async (peer) => {
    peer.socket.send(message);
    same(await peer.messages.take('the echo'), message);
  });
}

function checkFragments(tested) {
  return tested.echoing(async (peer) => {
    peer.socket.send('Hel', { fin: false });
    peer.socket.ping('first');
    same((await peer.pongs.take('a pong while the message is unfinished')).toString(), 'first');
    peer.socket.send('', { fin: false });
    peer.socket.ping('second');
    peer.socket.send('lo', { fin: true });
    same(await peer.messages.take('the echo'), 'Hello');
    same((await peer.pongs.take('the second pong')).toString(), 'second');
  });
}

function checkLargeFragments(tested) {
  const whole = randomBytes(MIB);
  return tested.echoing(async (peer) => {
    for (let at = 0; at < MIB; at += 1024) {
      peer.socket.send(whole.subarray(at, at + 1024), { binary: true, fin: at + 1024 === MIB });
    }
    same(await peer.messages.take('the echo'), whole);
  });
}

function checkPing(tested, payload) {
  return tested.echoing(async (peer) => {
    peer.socket.ping(payload);
    same((await peer.pongs.take('the pong')).toString(), payload);
  });
}

function checkPong(tested) {
  return tested.echoing(async (peer) => {
    peer.socket.pong('unasked');
    peer.socket.send('still here');
    same(await peer.messages.take('the echo'), 'still here');
  });
}

function checkClose(tested, code, reason) {
  return tested.echoing(async (peer) => {
    peer.socket.close(code, reason);
    await peer.expectClose(code, '');
  });
}

function checkEmptyClose(tested) {
  return tested.echoing(async (peer) => {
    peer.socket.close();
    await peer.expectClose(1005, '');
  });
}

function checkCloseInMessage(tested) {
  return tested.echoing(async (peer) => {
    peer.socket.send('unfinished', { fin: false });
    peer.socket.close(1000, 'enough');
    await peer.expectClose(1000, '');
  });
}

// What the terminal client does with its standard streams and options.
async function clientChecks(checks, client) {
  await checks.run('lines go out as text, messages come out as lines', () =>
    client.started([], async ({ stdin, line }, peer) => {
      for (const sent of ['Hello', '', 'żółw']) {
        stdin.write(`${sent}\n`);
        same(await peer.messages.take('the message'), sent);
        peer.socket.send(`${sent}!`);
        same(await line(), `${sent}!`);
      }
    }));
  await checks.run('--binary: lines of hex go out as binary, binary comes out as hex', () =>
    client.started(['--binary'], async ({ stdin, line }, peer) => {
      stdin.write('00ff7f\n');
      same(await peer.messages.take('the message'), Buffer.from('00ff7f', 'hex'));
      peer.socket.send(Buffer.from('dead00', 'hex'));
      same(await line(), 'dead00');
    }));
  await checks.run('a line of 1 MiB goes out whole, a message of 1 MiB comes out whole', () =>
    client.started([], async ({ stdin, line }, peer) => {
      stdin.write(`${text(MIB)}\n`);
      same(await peer.messages.take('the message'), text(MIB));
      peer.socket.send(text(MIB));
      same(await line(), text(MIB));
    }));
  await checks.run('the end of the input closes with 1000', () =>
    client.started([], async ({ stdin, status, report }, peer) => {
      stdin.end();
      await peer.expectClose(1000, '');
      assert.equal(await status(), 0);
      assert.equal(await report(), 'closed 1000');
    }));
  await checks.run("the peer's Close ends it and is reported", () =>
    client.started([], async ({ line, status, report }, peer) => {
      peer.socket.send('last');
      peer.socket.close(4999, 'go home');
      same(await line(), 'last');
      assert.equal(await status(), 0);
      assert.equal(await report(), 'closed 4999 go home');
    }));
  await checks.run('a peer that vanishes is reported as 1006', () =>
    client.started([], async ({ status, report }, peer) => {
      peer.socket.terminate();
      assert.equal(await status(), 1);
      assert.equal(await report(), 'closed 1006');
    }));
  await checks.run('--subprotocol offers in order and accepts the choice', () =>
    client.started(['--subprotocol', 'first', '--subprotocol', 'second'], async ({ stdin }, peer, request) => {
      assert.equal(request.headers['sec-websocket-protocol'], 'first, second');
      assert.equal(peer.socket.protocol, 'second');
      stdin.write('Hello\n');
      same(await peer.messages.take('the message'), 'Hello');
    }));
  await checks.run('--header and --origin are sent', () =>
    client.started(['--header', 'X-One: 1', '--origin', 'http://example.com'], async (_, peer, request) => {
      assert.equal(request.headers['x-one'], '1');
      assert.equal(request.headers.origin, 'http://example.com');
    }));
}

function compression(deflate) {
  return deflate && { threshold: 0 };
}

function checkExtensions(socket, deflate) {
  assert.equal(socket.extensions.startsWith('permessage-deflate'), deflate, `extensions: ${socket.extensions}`);
}

// UTF-8 text of exactly `size` bytes with characters of one to four bytes.
function text(size) {
  const whole = 'aé€😀'.repeat(Math.floor(size / 10));
  return whole + 'z'.repeat(size % 10);
}

// A frame as bytes, right or wrong.
function frame(first, payload, masked, { length = BigInt(payload.length) } = {}) {
  const bit = masked ? 0x80 : 0;
  const header =
    length < 126n
      ? Buffer.from([first, bit | Number(length)])
      : Buffer.from([first, bit | (length < 65536n ? 126 : 127), ...bytes(length, length < 65536n ? 2 : 8)]);
  if (!masked) return Buffer.concat([header, payload]);
  const key = randomBytes(4);
  return Buffer.concat([header, key, payload.map((byte, at) => byte ^ key[at % 4])]);
}

function bytes(number, size) {
  return Array.from({ length: size }, (_, at) => Number((number >> BigInt(8 * (size - 1 - at))) & 255n));
}

// Without the diff of a megabyte that `assert.deepEqual` would print.
function same(got, wanted) {
  const equal = Buffer.isBuffer(got) && Buffer.isBuffer(wanted) ? got.equals(wanted) : got === wanted;
  assert(equal, `got ${short(got)}, wanted ${short(wanted)}`);
}

function short(value) {
  return `${Buffer.isBuffer(value) ? 'binary' : 'text'} of ${value.length}: ${value.toString().slice(0, 40)}`;
}

function limited(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

await main();
