// The page of the demo in one browser: what a user does, and what must be shown.
//
// usage: browser.mjs chromium|firefox PROGRAM MODULES [--only NAME]
//
// PROGRAM is the example `demo`, MODULES a folder with puppeteer-core and axe-core. Prints a line for each check; the last line is
// `N passed, N failed`. Each check waits for what is shown, never for a time.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [kind, program, modules, ...options] = process.argv.slice(2);
const option = (name) => (options.includes(name) ? options[options.indexOf(name) + 1] : null);
const require = createRequire(`${modules}/`);
const puppeteer = require('puppeteer-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const LIMIT = 20000; // ms that anything may take to be shown
const executablePath = { chromium: ['chromium', 'google-chrome'], firefox: ['firefox-esr', 'firefox'] }[kind].map((name) => `/usr/bin/${name}`).find(existsSync);

// A demo, and the port that it says it listens on.
async function started(...given) {
  const process = spawn(program, given, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(process.stdout)) {
    const found = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(line);
    if (found) {
      process.stdout.resume();
      return [process, +found[1]];
    }
  }
  throw new Error('the server did not say where it listens');
}
async function ended(process) {
  if (process.exitCode !== null) return;
  const exit = new Promise((resolve) => process.once('exit', resolve));
  process.kill('SIGKILL');
  await exit;
}

// The server, which can be ended and started again on the same port.
let server = null, port = 0;
async function start() {
  [server, port] = await started('--listen', `127.0.0.1:${port}`);
}
const address = () => `http://127.0.0.1:${port}/`;

function launch(extraPrefsFirefox = {}) {
  if (kind === 'chromium') return puppeteer.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  return puppeteer.launch({ browser: 'firefox', executablePath, headless: true, extraPrefsFirefox });
}

// Everything that a page complains of: each check ends with none.
let complaints = [];
async function open(browser, { width = 1440, height = 900, url = address(), media = null } = {}) {
  const page = await browser.newPage();
  if (media) await page.emulateMediaFeatures(media);
  page.on('console', (message) => ['error', 'warn'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => { complaints.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  await page.setViewport({ width, height });
  await page.goto(url);
  await text(page, '#state', /^Open$/);
  return page;
}

async function until(page, what, inside, ...given) {
  try {
    await page.waitForFunction(inside, { timeout: LIMIT, polling: 50 }, ...given);
  } catch (error) {
    const seen = await page.evaluate(() => `${document.getElementById('state').textContent} | ${document.getElementById('alerts').textContent} | ${document.getElementById('rows').innerText.slice(-1500)}`);
    throw new Error(`not shown: ${what} (${error.message.split('\n')[0]}); the page has ${seen}`);
  }
}
const text = (page, selector, pattern) => until(page, `${selector} ${pattern}`, (s, source) => new RegExp(source, 'su').test(document.querySelector(s)?.textContent ?? ''), selector, pattern.source);
const read = (page, selector) => page.$eval(selector, (node) => node.textContent);
const press = (page, selector) => page.$eval(selector, (node) => { node.closest('details')?.setAttribute('open', ''); node.click(); });
function equal(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}
function ok(yes, what) {
  if (!yes) throw new Error(what);
}
async function say(page, line) {
  await page.focus('#say');
  await page.keyboard.type(line);
  await page.keyboard.press('Enter');
}
// What the rows show, of frames only.
const rows = (page) => page.$$eval('#rows .row[data-n]', (all) => all.map((row) => ({
  n: +row.dataset.n, msg: row.dataset.msg, dir: row.classList.contains('in') ? 'in' : 'out', kind: row.querySelector('.kind').textContent.trim(),
  bracket: ['first', 'mid', 'pass', 'last'].find((name) => row.classList.contains(name)) ?? null, wire: row.querySelector('.wire').textContent,
  message: row.querySelector('.msg').textContent, content: row.querySelector('.content').textContent })));
const last = async (page, wanted) => (await rows(page)).findLast(wanted);
async function select(page, wanted) {
  const row = await last(page, wanted);
  ok(row, `no such row: ${wanted}`);
  await page.$eval(`#rows .row[data-n="${row.n}"]`, (node) => node.click());
  await text(page, '#p-frame h3', new RegExp(`^No\\. ${row.n}:`));
  return row;
}
const cells = (page) => page.$$eval('#p-frame .bits:not(.xor)', (tables) => tables.map((table) => ({
  caption: table.caption.textContent, heads: [...table.tHead.rows[0].cells].map((cell) => cell.textContent),
  values: [...table.tBodies[0].rows[0].cells].map((cell) => cell.firstChild.textContent), bad: [...table.tBodies[0].rows[0].cells].map((cell) => cell.classList.contains('bad')) })));
// What the cells must be, from the bytes of a header.
function drawn(bytes) {
  const bit = (n) => String((bytes[0] >> n) & 1), low = bytes[1] & 127, more = { 126: 2, 127: 8 }[low] ?? 0;
  const hex = (from, to) => [...bytes.slice(from, to)].map((byte) => byte.toString(16).padStart(2, '0'));
  return [[bit(7), bit(6), bit(5), bit(4), (bytes[0] & 15).toString(2).padStart(4, '0')], [String(bytes[1] >> 7), low.toString(2).padStart(7, '0')],
    ...(more ? [hex(2, 2 + more)] : []), ...(bytes[1] >> 7 ? [hex(2 + more, 6 + more)] : [])];
}
// The header of a frame, as the page saves it.
async function saved(page, n, dir) {
  return page.evaluate(async (wanted, way) => {
    const made = [], old = URL.createObjectURL;
    URL.createObjectURL = (blob) => { made.push(blob); return old.call(URL, blob); };
    const click = HTMLAnchorElement.prototype.click;
    HTMLAnchorElement.prototype.click = () => {};
    const save = document.getElementById('save');
    save.value = 'json';
    save.dispatchEvent(new Event('change'));
    URL.createObjectURL = old;
    HTMLAnchorElement.prototype.click = click;
    return (await made[0].text()).trim().split('\n').map(JSON.parse).findLast((e) => e.n === wanted && e.dir === way);
  }, n, dir);
}

// What each case must come to: what is said, the code, the rule, and the cell that is outlined.
const CASES = {
  unmasked: [/5\.1\).*1002/, '6455-5.1-2', 'MASK'], rsv2: [/5\.2\).*1002/, '6455-5.2-3', 'RSV2'], opcode3: [/5\.2\).*1002/, '6455-5.2-4', 'opcode'],
  'ping-fragment': [/5\.4\).*1002/, '6455-5.4-4', 'FIN'], 'ping-126': [/5\.5\).*1002/, '6455-5.5-1', 'length'], continuation: [/5\.4\).*1002/, '6455-5.4-7', 'opcode'],
  interleaved: [/5\.4\).*1002/, '6455-5.4-6', 'opcode'], 'long-length': [/5\.2\).*1002/, '6455-5.2-7', 'length'], 'top-bit': [/5\.2\).*1002/, '6455-5.2-6', 'length'],
  'bad-text': [/8\.1\).*1007/, '6455-8.1-1', 'payload'], 'close-1-byte': [/5\.5\.1\).*1002/, '6455-5.5.1-2', 'payload'], 'close-1006': [/7\.4\.1\).*1002/, '6455-7.4.1-2', 'payload'],
  'close-text': [/8\.1\).*1007/, '6455-8.1-2', 'payload'], 'not-deflate': [/7692 section 7\.2.*1007/, '7692-7.2.2-1', 'payload'], giant: [/10\.4\).*1009/, '6455-10.4-1', 'length'],
  bomb: [/10\.4\).*1009/, '6455-10.4-2', 'payload'], stalls: [/10\.4\).*1008/], 'no-pong': [/5\.5\.2\).*1008/], 'no-close': [/7\.1\.1\)/], vanishes: [/7\.1\.4\).*No Close could be sent/],
};
const ANSWERS = { 'version-12': /426/, key: /400/, origin: /403/, post: /405/, 'no-upgrade': /200/ };
const SLOW = ['stalls', 'no-pong', 'no-close']; // they wait for timers, so each has a page, and they run at the same time

async function broken(page, id) {
  const [said, rule, cell] = CASES[id];
  await press(page, `.case:has(#case-${id}) button`);
  await text(page, `#case-${id}`, /Ended:/);
  if (said) await text(page, '#alerts', said);
  ok(said.test(await read(page, `#case-${id}`)), `under the button of ${id}: ${await read(page, `#case-${id}`)}`);
  if (rule) {
    await until(page, `${id}: its rule`, (name) => document.getElementById('p-frame').textContent.includes(name), rule);
    const bad = cell === 'payload' ? await page.$$eval('#p-frame .bad', (all) => all.map(() => 'payload'))
      : (await cells(page)).flatMap((table) => (table.bad.every(Boolean) && /^Length/.test(table.caption) ? ['length'] : table.heads.filter((_, i) => table.bad[i])));
    equal([...new Set(bad)], [cell], `${id}: what is outlined`);
    await until(page, `${id}: the words`, () => / breaks RFC \d+ section [\d.]+\./.test(document.getElementById('p-frame').textContent));
  }
  equal(await read(page, '#state'), 'Open', `${id}: the page's own connection`);
}

async function sound(page, where) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`));
  equal(found, [], `accessibility, ${where}`);
}
const narrow = (page) => page.evaluate(() => [document.documentElement.scrollWidth <= innerWidth, document.body.scrollWidth <= innerWidth]);

const CHECKS = {
  async 'open: the handshake, step by step'(browser) {
    const page = await open(browser);
    await press(page, '#tab-hand');
    await text(page, '#sent', /^Sent: the same$/);
    const steps = await page.$$eval('#accept code', (all) => all.map((code) => code.textContent));
    const key = /Sec-WebSocket-Key: (\S+)/i.exec(await read(page, '#p-hand pre'))[1];
    const digest = createHash('sha1').update(key + steps[1]).digest();
    equal(steps, [key, '258EAFA5-E914-47DA-95CA-C5AB0DC85B11', digest.toString('hex'), digest.toString('base64')], 'the four steps');
    return page;
  },

  async 'two tabs: one says, both hear; a mask one way'(browser) {
    const pages = [await open(browser), await open(browser)];
    await pages[0].bringToFront();
    await say(pages[0], 'Grüße 👋');
    for (const page of pages) {
      await page.bringToFront();
      await text(page, '#log', /Grüße 👋/);
    }
    await pages[0].bringToFront();
    await until(pages[0], 'both rows', () => [...document.querySelectorAll('#rows .row[data-n]')].filter((row) => row.textContent.includes('Grüße')).length === 2);
    const both = (await rows(pages[0])).filter(({ content }) => content.includes('Grüße'));
    equal(both.map(({ dir }) => dir), ['in', 'out'], 'directions');
    for (const { dir } of both) {
      const row = await select(pages[0], (one) => one.dir === dir && one.content.includes('Grüße'));
      const [first, second] = await cells(pages[0]);
      equal([first.values[0], second.values[0]], ['1', dir === 'in' ? '1' : '0'], 'FIN and MASK');
      // Every cell, from the bytes.
      const frame = await saved(pages[0], row.n, dir);
      const all = await cells(pages[0]);
      equal(all.map(({ values }) => values), drawn(Buffer.from(frame.h, 'hex')), 'the cells');
      ok(all.every(({ caption, heads }) => caption && heads.every(Boolean)), 'captions and heads');
      equal(all[0].heads, ['FIN', 'RSV1', 'RSV2', 'RSV3', 'opcode'], 'heads');
    }
    await select(pages[0], (one) => one.dir === 'in' && one.content.includes('Grüße'));
    ok(/[0-9a-f]{2} \^ [0-9a-f]{2} = [0-9a-f]{2}/.test(await read(pages[0], '.xor caption')), 'the XOR is written out');
    const columns = await pages[0].$$eval('.xor tr', (lines) => lines.map((line) => [...line.cells].slice(1).map((cell) => parseInt(cell.firstChild.textContent, 16))));
    ok(columns[0].every((masked, i) => (masked ^ columns[1][i]) === columns[2][i]), 'masked XOR key is the result');
    return pages;
  },

  async 'fragments: one bracket, a Ping between, its round trip'(browser) {
    const page = await open(browser);
    const parts = async (button) => {
      const before = (await rows(page)).at(-1)?.n ?? 0;
      await press(page, button);
      await until(page, 'the last fragment', (n) => [...document.querySelectorAll('#rows .row.last')].some((row) => +row.dataset.n > n), before);
      return (await rows(page)).filter(({ n }) => n > before);
    };
    const three = (await parts('[data-do=fragments]:not([data-ping])')).filter(({ dir, bracket }) => dir === 'out' && bracket);
    equal(three.map(({ kind, bracket }) => [kind.replace(/RSV1$/, ''), bracket]), [['textFIN 0', 'first'], ['continuationFIN 0', 'mid'], ['continuationFIN 1', 'last']], 'three fragments');
    equal(new Set(three.map(({ msg }) => msg)).size, 1, 'messages');
    const between = await parts('[data-ping]');
    const order = between.filter(({ dir }) => dir === 'out').map(({ kind }) => kind.replace(/(FIN|RSV).*$/, ''));
    ok(/text,ping,continuation,continuation/.test(order.join()), `the Ping between: ${order}`);
    await until(page, 'the Pong is joined', () => /answered by No\. \d+ after [\d.]+ ms/.test(document.getElementById('rows').textContent) && /answers No\. \d+ after [\d.]+ ms/.test(document.getElementById('rows').textContent));
    await press(page, '#tab-keep');
    await text(page, '#p-keep', /Round trip [\d.]+ ms/);
    return page;
  },

  async 'compression: RSV1, both sizes, the terms of the answer'(browser) {
    const page = await open(browser);
    await press(page, '[data-do=compressed]');
    await until(page, 'a compressed row', () => [...document.querySelectorAll('#rows .out .kind')].some((kind) => kind.textContent.includes('RSV1')));
    const row = await select(page, ({ dir, kind, content }) => dir === 'out' && kind.includes('RSV1') && content.includes('same words'));
    const size = (shown) => parseFloat(shown.replaceAll(',', '')) * (shown.includes('kB') ? 1000 : 1);
    ok(size(row.wire) < size(row.message), `${row.wire} on the wire, a message of ${row.message}`);
    equal((await cells(page))[0].values[1], '1', 'RSV1');
    await press(page, '#tab-hand');
    const answer = /Sec-WebSocket-Extensions: (permessage-deflate[^\n]*)/i.exec(await page.$$eval('#p-hand pre', (all) => all.at(-1).textContent))[1];
    await press(page, '#tab-comp');
    const ratio = /Server → client: .*? became .*?\((\d+) %\)/;
    await text(page, '#p-comp', ratio);
    const shown = await read(page, '#p-comp');
    for (const [way, name] of [['Client → server', 'client'], ['Server → client', 'server']]) {
      const window = 2 ** +(new RegExp(`${name}_max_window_bits=(\\d+)`).exec(answer)?.[1] ?? 15);
      const written = window < 1024 ? `${window} bytes` : `${window / 1024} KiB`;
      const kept = answer.includes(`${name}_no_context_takeover`) ? 'new for each message' : 'kept between messages';
      ok(shown.includes(`${way}: window ${written}, ${kept}`), `${way}: ${written}, ${kept} of ${answer}; shown: ${shown}`);
    }
    const before = ratio.exec(shown)[1];
    await press(page, '[data-do=compressed]');
    await until(page, 'the ratio changes', (old) => { const now = /Server → client: .*? became .*?\((\d+) %\)/.exec(document.getElementById('p-comp').textContent); return now && now[1] !== old; }, before);
    return page;
  },

  async 'every broken rule: what is said, and the field'(browser) {
    const pages = [];
    for (const id of SLOW) {
      const page = await open(browser);
      await press(page, `.case:has(#case-${id}) button`);
      pages.push(page);
    }
    const page = await open(browser);
    pages.push(page);
    const known = await page.$$eval('.case p', (all) => all.map((line) => line.id.slice(5)));
    equal([...known].sort(), ['good', ...Object.keys(CASES), ...Object.keys(ANSWERS)].sort(), 'the cases');
    await press(page, '.case:has(#case-good) button');
    await text(page, '#case-good', /Ended: 1000, clean/);
    for (const id of Object.keys(CASES).filter((one) => !SLOW.includes(one))) await broken(page, id);
    for (const [id, status] of Object.entries(ANSWERS)) {
      await press(page, `.case:has(#case-${id}) button`);
      await text(page, `#case-${id}`, status);
      equal(await read(page, '#state'), 'Open', `${id}: the page's own connection`);
    }
    for (const [i, id] of SLOW.entries()) {
      await pages[i].bringToFront();
      for (let turn = 0; turn < 2; turn++) await text(pages[i], `#case-${id}`, /Ended:/).catch((error) => { if (turn) throw error; });
      const shown = await read(pages[i], `#case-${id}`);
      ok(CASES[id][0].test(shown), `${id}: ${shown}`);
    }
    return pages;
  },

  async 'a Close of the server: its steps, and the page comes back'(browser) {
    const page = await open(browser);
    await press(page, '#tab-close');
    await page.select('#code', '4000');
    await press(page, '[data-do=close]');
    await text(page, '#state', /^Closed: 4000, clean$/);
    await until(page, 'all steps', () => [...document.querySelectorAll('#p-close li')].map((li) => li.textContent).join('|').match(/^☑ Close sent: 4000.*\|☑ Close received: 4000.*\|☑ Output ended\|☑ Stream ended$/));
    await text(page, '#log', /Closed: 4000, clean\./);
    await text(page, '#state', /^Open$/);
    await text(page, '#log', /Connected again\./);
    await say(page, 'Here again');
    await text(page, '#log', /Here again/);
    return page;
  },

  async 'text of a peer stays text'(browser) {
    const page = await open(browser);
    const hostile = '<img src=x onerror=alert(1)>\u202e\u0000abc';
    await page.evaluate((line, at) => new Promise((resolve) => {
      const socket = new WebSocket(`ws://${at}/chat`);
      socket.onopen = () => {
        socket.send(JSON.stringify({ name: line.slice(0, 24) }));
        socket.send(JSON.stringify({ say: line }));
        resolve();
      };
      globalThis.other = socket;
    }), hostile, `127.0.0.1:${port}`);
    const shown = '<img src=x onerror=alert(1)>[U+202E]␀abc';
    await until(page, 'the line', (line) => document.getElementById('log').textContent.includes(line), shown);
    await until(page, 'the name', () => document.querySelector('#log b:last-of-type')?.textContent.startsWith('<img src=x onerror=alert') ?? false);
    await until(page, 'its row', () => [...document.querySelectorAll('#rows .row[data-n] .content')].some((cell) => cell.textContent.includes('<img')));
    await select(page, ({ content }) => content.includes('<img'));
    ok((await read(page, '#p-frame')).includes('<img src=x onerror=alert(1)>'), 'the detail has it as text');
    equal(await page.$$eval('img', (all) => all.length), 0, 'images');
    ok(!(await page.evaluate(() => document.body.innerText.includes('\u202e'))), 'no mark of direction reaches the page');
    return page;
  },

  async 'keys only'(browser) {
    const page = await open(browser);
    for (const line of ['one', 'two', 'three']) await say(page, line);
    await until(page, 'the rows, there and back', () => [...document.querySelectorAll('#rows .row[data-n]')].filter((row) => row.textContent.includes('three')).length === 2);
    const focus = () => page.evaluate(() => { const a = document.activeElement; const s = getComputedStyle(a); return { id: a.id, row: a.classList.contains('row') ? a.dataset.n ?? '-' : null, tag: a.tagName, ring: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 }; });
    await page.focus('#say');
    let at = null;
    for (let i = 0; i < 60 && !at?.row; i++) {
      await page.keyboard.press('Tab');
      at = await focus();
      ok(at.ring || at.tag === 'SELECT' || at.tag === 'BODY', `the focus can be seen on ${at.tag} ${at.id}`);
    }
    ok(at.row, 'the grid is reached by Tab');
    await page.keyboard.press('Home');
    await page.keyboard.press('End');
    const end = await focus();
    equal(end.row, String((await rows(page)).at(-1).n), 'End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    equal((await focus()).id, 'p-frame', 'Enter');
    await page.keyboard.press('Escape');
    equal((await focus()).row !== null, true, 'Escape goes back to the row');
    await page.keyboard.press('p');
    await text(page, '#paused', /Paused\. \d+ frames? so far\./);
    await say(page, 'while paused');
    await text(page, '#log', /while paused/);
    await text(page, '#paused', /Paused\. [1-9]\d* frames? so far\./);
    await page.focus('#rows .row[tabindex="0"]');
    await page.keyboard.press('p');
    await until(page, 'the gap', () => /\d+ frames not shown: the view was paused\./.test(document.getElementById('rows').textContent));
    await page.focus('#rows .row[tabindex="0"]');
    await page.keyboard.press('f');
    equal((await focus()).id, 'filter', 'f');
    await page.keyboard.type('nothing-has-this');
    await text(page, '#matches', /No frame matches\. \d+ are hidden\./);
    await press(page, '#matches button');
    await page.focus('#filter');
    await page.keyboard.type('-three');
    await until(page, 'the filter leaves out', () => !document.getElementById('rows').textContent.includes('three') && document.getElementById('rows').textContent.includes('two'));
    return page;
  },

  async 'small: 320 wide, a zoom of 400 %'(browser) {
    const page = await open(browser, { width: 320, height: 640 });
    await say(page, 'a line from a phone that is long enough to need more than one line of the screen');
    await text(page, '#log', /from a phone/);
    for (const name of ['chat', 'frames', 'connection']) {
      await press(page, `#view-${name}`);
      equal(await narrow(page), [true, true], `sideways at ${name}`);
    }
    equal(await page.$$eval('#views [role=tab]', (all) => all.filter((tab) => tab.offsetParent).length), 3, 'tabs');
    await press(page, '#view-frames');
    await until(page, 'its row', () => document.querySelector('#rows .row.in[data-n]') !== null);
    const row = await last(page, ({ dir }) => dir === 'in');
    await page.$eval(`#rows .row[data-n="${row.n}"]`, (node) => node.click());
    await until(page, 'the detail as a page', () => document.body.dataset.view === 'frame' && document.getElementById('back').offsetParent !== null);
    equal(await narrow(page), [true, true], 'sideways at a frame');
    await press(page, '#back');
    equal(await page.evaluate(() => document.activeElement.dataset.n), String(row.n), 'Back');
    // 1280 CSS pixels at 400 % are 320.
    await page.setViewport({ width: 320, height: 225, deviceScaleFactor: 4 });
    for (const name of ['chat', 'frames', 'connection']) {
      await press(page, `#view-${name}`);
      equal(await narrow(page), [true, true], `sideways at ${name}, zoomed`);
    }
    return page;
  },

  async 'accessibility, by axe'(browser) {
    const page = await open(browser);
    await sound(page, 'a fresh page');
    await broken(page, 'rsv2');
    await sound(page, 'a failure');
    for (const name of ['hand', 'comp', 'close', 'keep']) {
      await press(page, `#tab-${name}`);
      await sound(page, name);
    }
    await page.select('#theme', 'dark');
    await press(page, '#tab-frame');
    await sound(page, 'dark');
    await page.setViewport({ width: 390, height: 760 });
    for (const name of ['chat', 'frames', 'connection']) {
      await press(page, `#view-${name}`);
      await sound(page, `phone, dark, ${name}`);
    }
    await page.select('#theme', 'light');
    await sound(page, 'phone, light');
    await page.evaluate(() => localStorage.clear());
    return page;
  },

  async 'dark and calm, where the system is'(browser) {
    // Firefox takes it at its start only.
    const other = kind === 'firefox' ? await launch({ 'ui.systemUsesDarkTheme': 1, 'ui.prefersReducedMotion': 1 }) : browser;
    const media = kind === 'firefox' ? null : [{ name: 'prefers-color-scheme', value: 'dark' }, { name: 'prefers-reduced-motion', value: 'reduce' }];
    const looks = (page) => page.evaluate(() => {
      const of = (node) => getComputedStyle(node), [html, row, bar] = [document.documentElement, document.querySelector('#rows .new'), document.querySelector('#p-close .left')];
      return [of(html).backgroundColor, of(html).color, of(row).animationName, of(bar).display].join(' ');
    });
    const ready = async (page) => {
      await say(page, 'a line');
      await until(page, 'a new row', () => document.querySelector('#rows .new') !== null);
      await press(page, '#tab-close');
      await text(page, '#p-close', /Next Ping in \d+ s/);
    };
    const LIGHT = 'rgb(255, 255, 255) rgb(20, 23, 28)', DARK = 'rgb(18, 21, 26) rgb(231, 234, 239)';
    try {
      const page = await open(other, { media });
      await ready(page);
      equal(await looks(page), `${DARK} none none`, 'dark and calm');
      await sound(page, 'dark, as the system is');
      // What is chosen counts, also the next time.
      await page.select('#theme', 'light');
      await page.reload();
      await text(page, '#state', /^Open$/);
      await ready(page);
      equal(await looks(page), `${LIGHT} none none`, 'light was chosen');
      await page.select('#theme', 'light dark');
      equal(await looks(page), `${DARK} none none`, 'as the system again');
      await page.close();
    } finally {
      if (other !== browser) await other.close();
    }
    const page = await open(browser);
    await ready(page);
    equal(await looks(page), `${LIGHT} new block`, 'light, and in motion');
    return page;
  },

  async 'between a client and a server: two lanes'(browser) {
    const [between, at] = await started('--listen', '127.0.0.1:0', '--inspect', `ws://127.0.0.1:${port}/chat`);
    try {
      const page = await open(browser, { url: `http://127.0.0.1:${at}/` });
      const client = connect(at, '127.0.0.1').resume();
      const head = ['GET / HTTP/1.1', `Host: 127.0.0.1:${at}`, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
      client.write(`${head.join('\r\n')}\r\n\r\n`);
      await until(page, 'the answer', () => document.querySelector('#rows .out')?.textContent.includes('101 Switching Protocols'));
      client.write(Buffer.from('81850000000048656c6c6f', 'hex'));
      await until(page, 'Hello, both ways', () => ['in', 'out'].every((lane) => [...document.querySelectorAll(`#rows .${lane}`)].some((row) => row.textContent.includes('Hello'))));
      const [left, right] = await page.evaluate(() => ['in', 'out'].map((lane) => document.querySelector(`#rows .${lane} .lane`).getBoundingClientRect().left));
      ok(right > left + 100, `the lanes are apart: ${left} and ${right}`);
      // What breaks a rule is passed on: the server answers it.
      client.write(Buffer.from('a182000000006869', 'hex'));
      await text(page, '#alerts', /section 5\.2\)\. Passed on unchanged\./);
      await until(page, 'the Close of the server', () => [...document.querySelectorAll('#rows .out')].some((row) => /close.*1002/.test(row.textContent)));
      client.destroy();
      await sound(page, 'two lanes');
      await page.close();
      return [];
    } finally {
      await ended(between);
    }
  },

  async 'a flood: what is not shown is counted; the server goes and comes'(browser) {
    const page = await open(browser), client = await open(browser);
    // A second reader of the stream, in the same page, adds up what it is told of a connection that is no page's.
    await page.evaluate((at) => new Promise((resolve) => {
      const socket = new WebSocket(`ws://${at}/inspect`, 'sockless.inspect.1'), clients = new Map();
      globalThis.counted = () => clients.get(Math.max(...clients.keys())); // the newest
      socket.onmessage = ({ data }) => {
        for (const e of JSON.parse(data)) {
          if (e.t === 'open' && e.kind === 'client') clients.set(e.c, { frames: 0, lost: 0, total: 0, closed: false });
          const sums = clients.get(e.c);
          if (!sums) continue;
          if (e.t === 'frame') sums.frames++;
          if (e.t === 'gap') sums.lost += e.frames;
          if (e.t === 'state') sums.total = e.in.frames + e.out.frames;
          if (e.t === 'closed') sums.closed = true;
        }
        resolve();
      };
    }), `127.0.0.1:${port}`);
    const sent = await client.evaluate((at) => new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${at}/chat`), count = 20000;
      let back = 0;
      socket.onmessage = ({ data }) => { if (data.startsWith('flood') && ++back === count) socket.close(1000); };
      socket.onclose = ({ code }) => (code === 1000 ? resolve(count) : reject(new Error(`closed with ${code} after ${back}`)));
      socket.onopen = () => {
        let i = 0;
        const more = () => { for (let n = 0; n < 200 && i < count; n++) socket.send(`flood ${i++}`); if (i < count) setTimeout(more, 40); };
        more();
      };
    }), `127.0.0.1:${port}`);
    await page.bringToFront();
    const before = Date.now();
    await say(page, 'still here');
    await text(page, '#log', /still here/);
    ok(Date.now() - before < 2000, `a line took ${Date.now() - before} ms`);
    await until(page, 'all is counted', () => globalThis.counted()?.total >= 40000 && globalThis.counted().closed);
    const { frames, lost, total } = await page.evaluate(() => globalThis.counted());
    equal(frames + lost, total, 'frames that were told of, and those in gaps');
    ok(total >= 2 * sent, `${total} frames, ${sent} were sent and came back`);
    const c = await page.$$eval('#pick option', (all) => all.findLast((one) => /client, ended/.test(one.textContent))?.value);
    ok(c, 'the connection of the client can be chosen');
    await page.select('#pick', c);
    await until(page, 'what is gone', () => /[\d,]+ frames not shown/.test(document.getElementById('rows').textContent) || /[\d,]+ older/.test(document.getElementById('earlier').textContent) || /\d/.test(document.getElementById('earlier').textContent));
    ok((await page.$$eval('#rows .row', (all) => all.length)) <= 300, 'rows in the document');
    await client.close();
    const memory = +/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1];
    ok(memory < 100000, `the server holds ${memory} kB`);
    await ended(server);
    await text(page, '#alerts', /The server has stopped\. Trying again in \d+ s\./);
    await start();
    await text(page, '#state', /^Open$/);
    complaints = []; // of the browser, which could not connect meanwhile
    return page;
  },
};

async function main() {
  await start();
  const browser = await launch();
  let passed = 0, failed = 0;
  for (const [name, check] of Object.entries(CHECKS)) {
    if (option('--only') && !name.includes(option('--only'))) continue;
    complaints = [];
    const from = Date.now();
    try {
      const left = await check(browser);
      equal(complaints, [], 'what the browser complains of');
      for (const page of [left].flat()) await page.close();
      passed++;
      console.log(`ok    ${kind}: ${name} (${((Date.now() - from) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed++;
      console.log(`FAIL  ${kind}: ${name}: ${error.message.slice(0, 2500)}`);
      for (const page of (await browser.pages()).slice(1)) await page.close().catch(() => {});
    }
  }
  await browser.close();
  await ended(server);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed || !passed ? 1 : 0;
}

process.on('SIGTERM', () => { server?.kill('SIGKILL'); process.exit(143); });
process.on('exit', () => server?.kill('SIGKILL'));
await main();
