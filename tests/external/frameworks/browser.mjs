// A page in Chromium that talks to two echo servers of one program: one without TLS, one with.
//
// usage: browser.mjs NAME MODULES PAGE-PORT PLAIN-PORT TLS-PORT
//
// MODULES is a folder with puppeteer-core. The servers allow the page's origin, and no other. Prints a line for each check.

import { createServer } from 'node:http';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const [name, modules, pagePort, plain, tls] = process.argv.slice(2);
const puppeteer = createRequire(`${modules}/`)('puppeteer-core');
const executablePath = ['chromium', 'google-chrome'].map((found) => `/usr/bin/${found}`).find(existsSync);
const LIMIT = 30000; // ms for one check
const SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20];

const pages = [];
async function serve(port) {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>echo</title>'));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  pages.push(server);
  return `http://127.0.0.1:${server.address().port}/`;
}

// Each way by which the page gets its sockets. A browser uses HTTP/2 if it has such a connection to that server already.
const WAYS = [
  { way: 'ws', url: `ws://127.0.0.1:${plain}/`, status: 101 },
  { way: 'wss by HTTP/1.1', url: `wss://127.0.0.1:${tls}/`, status: 101 },
  { way: 'wss by HTTP/2', url: `wss://127.0.0.1:${tls}/`, status: 200, before: `https://127.0.0.1:${tls}/` },
];

// What runs in the page. Payloads are made and compared there.
const inside = {
  async echo(url, sizes, text) {
    const ws = new WebSocket(url);
    ws.binaryType = 'arraybuffer';
    const next = () => new Promise((resolve, reject) => { ws.onmessage = resolve; ws.onclose = (end) => reject(new Error(`closed: ${end.code}`)); });
    await new Promise((resolve, reject) => { ws.onopen = resolve; ws.onclose = (end) => reject(new Error(`not open: ${end.code}`)); });
    for (const size of sizes) {
      // Neither all the same nor without order: some of it can be compressed.
      const octets = new Uint8Array(size);
      for (let i = 0, x = size + 1; i < size; i++) octets[i] = i % 64 < 48 ? i >> 6 : (x = (x * 1103515245 + 12345) >>> 0) >> 16;
      const payload = text ? Array.from(octets.subarray(0, 1 << 20), (octet) => ['a', 'é', '字', '😀', ' ', '\n'][octet % 6]).join('') : octets;
      const came = next();
      ws.send(payload);
      const { data } = await came;
      if (text ? data !== payload : data.byteLength !== size || new Uint8Array(data).some((octet, at) => octet !== octets[at])) throw new Error(`another message came for ${size} octets`);
    }
    const end = new Promise((resolve) => { ws.onclose = resolve; });
    ws.close(1000, 'done');
    const { code, wasClean } = await end;
    return { extensions: ws.extensions, code, wasClean };
  },
  async close(url, codes) {
    const ends = [];
    for (const code of codes) {
      const ws = new WebSocket(url);
      await new Promise((resolve, reject) => { ws.onopen = resolve; ws.onclose = (end) => reject(new Error(`not open: ${end.code}`)); });
      ends.push(await new Promise((resolve) => { ws.onclose = (end) => resolve([end.code, end.wasClean]); ws.close(...code); }));
    }
    return ends;
  },
  async many(url, count) {
    const all = await Promise.all(Array.from({ length: count }, (_, i) => new Promise((resolve, reject) => {
      const ws = new WebSocket(url);
      ws.onopen = () => ws.send(`socket ${i}`);
      ws.onmessage = ({ data }) => { ws.onclose = ({ code }) => resolve(data === `socket ${i}` && code === 1000); ws.close(1000); };
      ws.onclose = (end) => reject(new Error(`closed: ${end.code}`));
    })));
    return all.every(Boolean);
  },
  async refused(url) {
    const ws = new WebSocket(url);
    return new Promise((resolve) => { ws.onopen = () => resolve('opened'); ws.onclose = ({ code, wasClean }) => resolve([code, wasClean]); });
  },
};

let failed = false;
async function check(what, run) {
  const from = Date.now();
  try {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not done after ${LIMIT} ms`)), LIMIT); });
    await Promise.race([run(), late]).finally(() => clearTimeout(timer));
    console.log(`ok    ${name}: ${what} (${((Date.now() - from) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed = true;
    console.log(`FAIL  ${name}: ${what}: ${error.message.split('\n')[0]}`);
  }
}
function equal(got, wanted, what) {
  const [a, b] = [got, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

// No window, no sandbox (which needs rights that containers lack), and nothing but loopback. Nobody vouches for the certificate.
const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--ignore-certificate-errors', '--no-proxy-server', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

// A browser of its own for each way, so that no connection is there but those that it made. `statuses` are those of its handshakes.
async function withPage(address, before, run) {
  const browser = await puppeteer.launch({ executablePath, headless: true, args });
  try {
    const page = await browser.newPage();
    const statuses = [];
    const session = await page.createCDPSession();
    await session.send('Network.enable');
    session.on('Network.webSocketHandshakeResponseReceived', ({ response }) => statuses.push(response.status));
    await page.goto(address);
    // With credentials, as sockets have them: connections with and without are kept apart.
    if (before) await page.evaluate((url) => fetch(url, { mode: 'no-cors', credentials: 'include' }), before);
    await run(page, statuses);
  } finally {
    await browser.close();
  }
}

try {
  const own = await serve(+pagePort);
  const foreign = await serve(0);
  for (const { way, url, status, before } of WAYS) {
    await withPage(own, before, async (page, statuses) => {
      await check(`${way}: binary messages of 0 octets to 16 MiB, compressed`, async () => {
        const { extensions, ...end } = await page.evaluate(inside.echo, url, SIZES, false);
        equal(/^permessage-deflate/.test(extensions), true, `extensions "${extensions}"`);
        equal(end, { code: 1000, wasClean: true }, 'the end');
      });
      await check(`${way}: texts`, async () => {
        const { code } = await page.evaluate(inside.echo, url, SIZES.slice(0, -1), true);
        equal(code, 1000, 'the end');
      });
      await check(`${way}: close codes`, async () => {
        const ends = await page.evaluate(inside.close, url, [[], [1000], [3001, 'a reason'], [4999]]);
        equal(ends, [[1005, true], [1000, true], [3001, true], [4999, true]], 'codes');
      });
      await check(`${way}: 20 sockets at once`, async () => equal(await page.evaluate(inside.many, url, 20), true, 'echoes'));
      await check(`${way}: each handshake was answered by ${status}`, async () => equal([statuses.length, ...new Set(statuses)], [26, status], 'statuses'));
    });
    await withPage(foreign, before, async (page, statuses) => {
      await check(`${way}: a page of another origin is refused`, async () => {
        equal(await page.evaluate(inside.refused, url), [1006, false], 'the end');
        equal(statuses.every((answer) => answer === 403), true, `statuses ${statuses}`);
      });
    });
  }
} catch (error) {
  failed = true;
  console.log(`FAIL  ${name}: ${error.message.split('\n')[0]}`);
} finally {
  pages.forEach((server) => { server.close(); server.closeAllConnections(); });
}
process.exitCode = failed ? 1 : 0;
