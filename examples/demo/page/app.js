// The page of the demo. It draws what the server says of its connections, and knows no protocol by itself: bits are drawn from the
// bytes, every meaning comes from the server. What peers wrote reaches the document as text only.

const KEPT = 2000, ROWS = 300, BATCH = 200;
const $ = (id) => document.getElementById(id);
const at = new URL(location.href);
const token = at.searchParams.get('t');
const address = (path, ask = {}) => `${at.protocol === 'https:' ? 'wss' : 'ws'}://${at.host}${path}?${new URLSearchParams(token ? { ...ask, t: token } : ask)}`;

// An element with attributes and children; strings become text.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const p = (text, attributes) => el('p', attributes, text);
// It may be scrolled, so it can be reached.
const block = (label, kind, ...children) => el('pre', { tabindex: 0, role: 'region', 'aria-label': label, class: kind }, ...children);
const peers = (text) => el('bdi', { dir: 'auto' }, shown(text));

// Control characters as signs, and those that change the direction of text as their number.
const shown = (text) => String(text).replace(/[\x00-\x1f\x7f]/g, (c) => String.fromCharCode(c === '\x7f' ? 0x2421 : 0x2400 + c.charCodeAt(0)))
  .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);
const number = (n) => n.toLocaleString('en');
const bytes = (n) => (n < 10000 ? `${number(n)} B` : `${number(+(n / 1000).toFixed(1))} kB`);
const ms = (us) => `${+(us / 1000).toFixed(us < 10000 ? 2 : 0)} ms`;
const ending = (e) => `${e.status}, ${e.clean ? 'clean' : 'not clean'}.${{ local: ' The server sent its Close first.', peer: ' The peer sent its Close first.' }[e.by] || ' Nobody sent a Close.'}`;
const time = (us) => `${(us / 1e6).toFixed(3)} s`;
const percent = (part, whole) => `${Math.round((100 * part) / whole)} %`;
const unbase64 = (text) => Uint8Array.from(atob(text || ''), (c) => c.charCodeAt(0));
const unhex = (text) => Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
const hex2 = (n) => n.toString(16).padStart(2, '0');
const hex = (data) => Array.from(data, hex2).join(' ');
const bits = (n, width) => n.toString(2).padStart(width, '0');

// Bytes as text, where they are text; a byte that is not is written in hex.
function text(data) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data, { stream: true });
  } catch {
    return new TextDecoder('latin1').decode(data).replace(/[^\x20-\x7e]/g, (c) => `\\x${hex2(c.charCodeAt(0))}`);
  }
}

const connections = new Map();
let hello = { cases: [], words: {} }, own = new Set(), current = null;
let items = [], gone = 0, follows = true, pending = [], drawn = [], missed = 0, above = 0, chosen = null, paused = null, changed = true;

function connection(c) {
  if (!connections.has(c)) connections.set(c, { c, heads: [], frames: new Map(), rtt: [], open: {}, lost: 0 });
  return connections.get(c);
}
const others = (c) => (own.has(c) ? 'this page' : connection(c).kind || 'peer');
const inspecting = () => hello.mode === 'inspect';
const way = (e) => (inspecting() ? ['client to server', 'server to client'] : ['received by the server', 'sent by the server'])[+(e.dir === 'out')];

// What the server says.
const on = {
  hello(e) {
    if (e.v > 1) return alarm('This page is older than the server. Reload.');
    hello = { words: {}, cases: [], ...e };
    command({ do: 'follow', c: 'all' });
    document.body.dataset.mode = e.mode;
    $('remote').hidden = !e.remote;
    if (inspecting()) {
      $('pick').value = 'all';
      $('chat-title').textContent = 'Between';
      $('chat').tabIndex = 0; // it may be scrolled
      $('chat').replaceChildren($('chat-title'), p('Bytes pass here unchanged, between a client and'), p(e.target || '', { class: 'content' }), p('Connect a client to'), p(address('/').replace(/\?$/, ''), { class: 'content' }));
      $('mode').textContent = 'What passes between a client and a server.';
      const heads = document.querySelectorAll('[role=columnheader]');
      heads[2].textContent = 'Client → server';
      heads[3].textContent = 'Server → client';
      for (const head of [...heads].slice(4)) head.remove();
      $('view-chat').textContent = 'Between';
      state('Open', 'open');
      if (document.body.dataset.view === 'chat') view('frames');
    } else {
      cases();
      talk();
    }
  },
  paired(e) {
    own.add(e.c);
    current = e.c;
    picks();
    redraw();
  },
  open(e, k) {
    if (k.peer === e.peer) return; // told again, as this view was connected again
    if (k.peer) { // by a server that was started since, and counts from 1
      connections.delete(e.c);
      if (e.c !== current) own.delete(e.c);
      k = connection(e.c);
    }
    Object.assign(k, { kind: e.kind, peer: e.peer });
    picks();
    item({ mark: `Connection ${e.c} opened: ${own.has(e.c) ? 'this page' : e.kind}, ${e.peer}`, c: e.c, at: e.at });
  },
  head(e, k) {
    if (k.heads.some(({ at, dir }) => at === e.at && dir === e.dir)) return;
    k.heads.push(e);
    item(e);
  },
  accept(e, k) { k.accept = e; },
  agreed(e, k) { k.agreed = e; },
  frame(e, k) {
    if (k.frames.has(e.n)) return;
    k.frames.set(e.n, e);
    const data = e.op < 8, whole = data && e.part === 0 && e.fin;
    if (data && !whole) e.bracket = e.part === 0 ? 'first' : e.fin ? 'last' : 'mid';
    else if (!data && (k.open.in || k.open.out)) e.bracket = 'pass';
    if (data) k.open[e.dir] = !e.fin;
    if (k.fail?.n === e.n) e.fail = k.fail;
    else if (e.op === 8 && e.dir === 'out' && k.fail && !k.fail.answer) k.fail.answer = e.n;
    item(e);
  },
  rtt(e, k) {
    k.rtt.push(e);
    if (k.rtt.length > 20) k.rtt.shift();
    for (const [n, other, word] of [[e.ping, e.pong, 'answered by'], [e.pong, e.ping, 'answers']]) {
      const frame = k.frames.get(n);
      if (!frame) continue;
      frame.joined = `${word} No. ${other} after ${ms(e.us)}`;
      if (frame.row) fill(frame);
      if (frame === chosen) detail();
    }
  },
  state(e, k) {
    k.state = { ...e, now: performance.now() };
    if (e.c === current && e.ready === 'closing') state('Closing', '');
    if (paused && e.c in paused.base) pauseText();
  },
  fail(e, k) {
    k.fail = e;
    const frame = k.frames.get(e.n);
    if (frame) {
      frame.fail = e;
      if (frame.row) fill(frame);
      if (frame === chosen) detail();
    } else item({ mark: verdict(e), c: e.c, at: e.at, bad: true });
    if (inspecting()) alarm(verdict(e));
    else if (k.mine || own.has(e.c)) failed(k);
  },
  closed(e, k) {
    if (k.closed) return;
    k.closed = e;
    item({ mark: `Connection ${e.c} ended here: ${ending(e)}`, c: e.c, at: e.at });
    if (k.mine) outcome(k);
  },
  gap(e, k) {
    k.lost += e.frames;
    const why = { 'slow page': 'this page could not keep up', paused: 'the view was paused', old: 'they are older than what is kept' }[e.why] || e.why;
    item({ mark: `${number(e.frames)} frames not shown: ${why}.`, c: e.c, lost: e.frames });
  },
  answer(e) {
    if (e.do === 'case' || e.do === 'hex') {
      const k = e.c === null || e.c === undefined ? null : connection(e.c);
      const line = $(`case-${e.id ?? 'hex'}`);
      if (!k || !e.ok) {
        if (line) line.textContent = shown(e.says || 'Refused.');
        return;
      }
      k.mine = { id: e.id ?? 'hex', says: e.says };
      $('pick').value !== String(e.c) && picks(String(e.c));
      redraw();
      if (k.fail) failed(k);
      outcome(k);
    } else if (!e.ok) note(e.says || 'Refused.');
  },
};

function verdict(e) {
  const where = e.rule ? ` (${e.rule.where})` : '';
  const k = connection(e.c), head = k.heads.find(({ dir }) => dir === 'out');
  const answer = e.code ? `The server closed with ${e.code}.` : inspecting() ? 'Passed on unchanged.' : !k.accept && head ? `The server answered ${head.line.replace(/^\S+ /, '')}.` : 'No Close could be sent.';
  const says = e.says.charAt(0).toUpperCase() + e.says.slice(1);
  return `${says.replace(/\.$/, '')}${where}. ${answer}`;
}

function failed(k) {
  if (k.told) return;
  k.told = true;
  alarm(verdict(k.fail));
  const frame = k.frames.get(k.fail.n);
  if (frame && shownHere(frame)) choose(frame);
  else if (!k.accept) tab('hand');
}

// The answer, under the button of the case.
function outcome(k) {
  const line = $(`case-${k.mine.id}`);
  if (!line) return;
  const said = k.fail ? verdict(k.fail) : k.mine.says || '', ended = k.closed ? `Ended: ${ending(k.closed)}` : 'Running…';
  line.textContent = shown(k.mine.says ? said : `${said} ${ended}`);
}

// Frames, heads, gaps and ends are items of one list; a row is an item in the document.
function item(e) {
  items.push(e);
  if (items.length > KEPT) {
    const [old] = items.splice(0, 1);
    if (old.t === 'frame') connection(old.c).frames.delete(old.n);
    gone++;
  }
  pending.push(e);
}

const words = () => $('filter').value.toLowerCase().split(/\s+/).filter((word) => word && word !== '-' && word !== '‑');
function content(e) {
  return e.inflated?.data ? unbase64(e.inflated.data) : unbase64(e.data);
}
function shownHere(e) {
  const pick = $('pick').value;
  if (pick === 'own' ? !own.has(e.c) : pick !== 'all' && String(e.c) !== pick) return false;
  if (e.mark) return true;
  if ($('dir').value && e.dir !== $('dir').value) return false;
  if (e.op >= 8 && !$('control').checked) return false;
  const wanted = words();
  if (!wanted.length) return true;
  e.hay ??= `${e.name || 'http'} ${e.t === 'head' ? `${e.line} ${e.fields.flat().join(' ')}` : text(content(e))} ${e.note || ''}`.toLowerCase();
  return wanted.every((word) => (/^[-‑]/.test(word) ? !e.hay.includes(word.slice(1)) : e.hay.includes(word)));
}
const matching = () => items.filter(shownHere);

function row(e) {
  e.row = el('div', { role: 'row', tabindex: -1, class: 'row' });
  e.row.item = e;
  fill(e);
  return e.row;
}

function fill(e) {
  const cell = (name, ...children) => el('span', { role: 'gridcell', class: name }, ...children);
  const t = e.at === undefined ? '' : time(e.at);
  const classes = ['row'];
  if (e === chosen) e.row.setAttribute('aria-selected', 'true');
  if (e.mark) {
    classes.push('mark', ...(e.bad ? ['broken'] : []));
    e.row.className = classes.join(' ');
    return e.row.replaceChildren(cell('num'), cell('time', t), cell('mark', shown(e.mark)));
  }
  classes.push(e.dir, ...(e.fail ? ['broken'] : []), ...(e.bracket ? [e.bracket] : []));
  e.row.className = classes.join(' ');
  if (e.n !== undefined) e.row.dataset.n = e.n;
  if (e.msg !== undefined && e.msg !== null) e.row.dataset.msg = e.msg;
  const direction = cell('dir', `${e.dir === 'in' ? '→' : '←'} ${inspecting() ? way(e) : way(e).split(' ')[0]}`);
  direction.title = way(e);
  const parts = e.t === 'head'
    ? [cell('kind', e.dir === 'in' ? 'HTTP request' : 'HTTP answer'), cell('wire num', bytes(e.bytes)), cell('msg num'), cell('content', peers(e.line))]
    : [cell('kind', (e.fail ? '⚠ Broken ' : '') + (e.name || `opcode ${e.op}`), e.bracket && e.op < 8 ? el('small', {}, `FIN ${+e.fin}`) : null, e.rsv & 4 ? el('small', {}, 'RSV1') : null),
      cell('wire num', bytes(e.h.length / 2 + e.len)), cell('msg num', size(e)), cell('content', preview(e))];
  e.row.replaceChildren(cell('num', e.t === 'head' ? '' : String(e.n)), cell('time', t), el('span', { class: 'lane', role: 'none' }, direction, ...parts));
}

const worded = (e) => e.op === 1 || (e.op === 0 && e.text);
function size(e) {
  if (e.op >= 8) return '';
  if (e.inflated) return bytes(e.inflated.len);
  return e.bracket || e.rsv & 4 ? '' : bytes(e.len);
}
function preview(e) {
  if (e.joined) return e.joined;
  if (e.note) return e.note;
  const data = content(e).subarray(0, 160);
  const some = el('bdi', { dir: 'auto' });
  if (e.op === 8) some.append(data.length < 2 ? 'no code' : `${data[0] * 256 + data[1]} ${shown(text(data.subarray(2)))}`);
  else some.append(worded(e) ? shown(text(data)).slice(0, 120) : hex(data.subarray(0, 32)));
  return some;
}

// Draws what came, at most once a picture; while the reader is not at the end, the rows stay as they are.
function draw() {
  const fresh = pending.filter(shownHere), rows = $('rows');
  pending = [];
  if (fresh.length && !above && follows) {
    if (fresh.length > BATCH) return redraw();
    for (const e of fresh) {
      rows.append(row(e));
      e.row.classList.add('new');
    }
    drawn.push(...fresh);
    trim();
    toEnd();
  } else missed += fresh.filter((e) => !e.mark).length;
  if (fresh.length) indexes();
  $('newest').hidden = !missed;
  $('newest').textContent = `${number(missed)} new ${missed === 1 ? 'frame' : 'frames'}`;
}
function toEnd() {
  follows = true;
  $('box').scrollTop = $('box').scrollHeight;
}
function trim() {
  const extra = drawn.splice(0, Math.max(0, drawn.length - ROWS));
  const focused = extra.some((e) => e.row === document.activeElement);
  for (const e of extra) {
    e.row.remove();
    e.row = null;
  }
  if (focused) drawn[0]?.row.focus();
}
function redraw(end = null) {
  pending = [];
  missed = 0;
  const all = matching();
  above = end === null ? 0 : Math.max(0, all.length - end);
  const stop = all.length - above;
  for (const e of drawn) e.row = null;
  drawn = all.slice(Math.max(0, stop - (above ? ROWS : BATCH)), stop);
  $('rows').replaceChildren(...drawn.map(row));
  $('newest').hidden = true;
  indexes();
  if (!above) toEnd();
  const hidden = items.filter((e) => !e.mark).length - all.filter((e) => !e.mark).length;
  $('matches').hidden = !words().length;
  $('matches').replaceChildren(all.some((e) => !e.mark) ? `${number(all.filter((e) => !e.mark).length)} match, ${number(hidden)} are hidden. Searched: all that is kept, the first ${bytes(hello.limits?.preview || 4096)} of each. ` : `No frame matches. ${number(hidden)} are hidden. `,
    el('button', { onclick: () => { $('filter').value = ''; redraw(); } }, 'Clear the filter'));
}
function indexes() {
  const all = matching(), from = all.indexOf(drawn[0]);
  drawn.forEach((e, i) => e.row.setAttribute('aria-rowindex', from + i + 2));
  $('grid').setAttribute('aria-rowcount', all.length + 1);
  $('earlier').hidden = from <= 0 && !gone;
  $('earlier').disabled = from <= 0;
  $('earlier').textContent = from > 0 ? `Show earlier (${number(from)})` : `${number(gone)} older rows are gone`;
  $('empty').hidden = drawn.length > 0;
  if (drawn.length && !drawn.some((e) => e.row.tabIndex === 0)) (drawn.includes(chosen) ? chosen : drawn.at(-1)).row.tabIndex = 0;
}

function choose(e, focus) {
  if (chosen?.row) chosen.row.removeAttribute('aria-selected');
  for (const d of drawn) if (d.row.tabIndex === 0) d.row.tabIndex = -1;
  chosen = e;
  if (e.row) {
    e.row.setAttribute('aria-selected', 'true');
    e.row.tabIndex = 0;
    if (focus) e.row.focus();
    e.row.scrollIntoView({ block: 'nearest' });
  }
  detail();
}

// The frame that was chosen.
function table(caption, cells) {
  return el('table', { class: 'bits' }, el('caption', {}, caption),
    el('thead', {}, el('tr', {}, ...cells.map(([name, , , span]) => el('th', { scope: 'col', colspan: span }, name)))),
    el('tbody', {}, el('tr', {}, ...cells.map(([, value, kind, span, small]) => el('td', { class: kind, colspan: span }, value, small ? el('small', {}, small) : null)))));
}
function detail() {
  const e = chosen, panel = $('p-frame');
  if (!e) return panel.replaceChildren(p('Select a frame to see its bits.', { class: 'muted' }));
  tab(e.t === 'head' ? 'hand' : 'frame');
  if (e.mark) return panel.replaceChildren(p(shown(e.mark)));
  if (e.t === 'head') return connectionPanels();
  const h = unhex(e.h), [a, b = 0] = h, w = hello.words || {}, says = [];
  const broken = e.fail?.field, bad = (field, yes = true) => (broken === field && yes ? ' bad' : '');
  const mean = (field, name, sentence) => says.push(el('li', { class: broken === field ? 'breaks' : null }, `${name}${/^[\w-]+: /.test(sentence) ? ' ' : ': '}${sentence}${broken === field ? ` It breaks ${e.fail.rule?.where || 'a rule'}.` : ''}`));
  const flag = (name, mask, field, word) => {
    const value = a & mask ? 1 : 0;
    if (w[word]) mean(field === 'rsv' && !value ? null : field, name, w[word][value]);
    return [name, String(value), `fin${bad(field, field === 'fin' || value)}`, 1];
  };
  const draws = [table(`Byte 0: ${hex2(a)}`, [flag('FIN', 128, 'fin', 'fin'), flag('RSV1', 64, 'rsv', 'rsv1'), flag('RSV2', 32, 'rsv', 'rsv2'), flag('RSV3', 16, 'rsv', 'rsv3'), ['opcode', bits(a & 15, 4), `op${bad('op')}`, 4, e.name || String(e.op)]])];
  if (w.op) mean('op', 'opcode', w.op[a & 15]);
  draws.push(table(`Byte 1: ${hex2(b)}`, [['MASK', String(b >> 7), `mask${bad('mask')}`, 1], ['length', bits(b & 127, 7), `len${bad('len')}`, 7, String(b & 127)]]));
  if (w.mask) mean('mask', 'MASK', w.mask[b >> 7]);
  const more = { 126: 2, 127: 8 }[b & 127] || 0;
  if (w.form) mean('len', 'length', w.form[e.form] || w.form[more ? more * 8 : 7]);
  const strip = (caption, from, count, kind) => table(caption, Array.from(h.subarray(from, from + count), (byte, i) => [String(from + i), hex2(byte), kind, 1]));
  if (more) draws.push(strip(`Length in ${more} bytes: ${number(e.len)}`, 2, more, `len${bad('len')}`));
  if (b & 128) {
    draws.push(strip(`Masking key: ${e.key || hex(h.subarray(2 + more))}`, 2 + more, 4, 'key'));
    if (w.key) mean(null, 'key', w.key);
  }
  const data = unbase64(e.data), raw = e.raw ? unbase64(e.raw) : data, plain = e.inflated ? unbase64(e.inflated.data) : null;
  panel.replaceChildren(
    el('h3', {}, `No. ${e.n}: ${e.name || `opcode ${e.op}`}, ${way(e)}`),
    ...(e.fail ? [p(verdict(e.fail), { class: 'breaks' })] : []),
    ...draws, el('ul', {}, ...says), el('h3', {}, `Payload: ${bytes(e.len)}${plain ? `, ${bytes(e.inflated.len)} inflated` : ''}`), ...(broken === 'payload' ? [p(`This payload breaks ${e.fail.rule?.where || 'a rule'}.`, { class: 'breaks' })] : []),
    ...(e.key && raw.length ? [xor(unhex(e.key), raw, data)] : []),
    ...dump('Payload in hex', data, e.cut, e.len, broken === 'payload'), ...(plain ? [p(`Inflated: ${bytes(e.len)} became ${bytes(e.inflated.len)}.`), ...dump('Inflated payload in hex', plain, e.inflated.cut, e.inflated.len)] : []),
    ...asText(plain || data, e), el('h3', {}, 'Verdict'), ...judged(e),
  );
  panel.scrollTop = 0;
}
function xor(key, raw, data) {
  const cells = Array.from(raw.subarray(0, 8), (byte, i) => [byte, key[i % 4], data[i]]);
  const lines = [['as masked', 0, 'pay'], ['key', 1, 'key'], ['result', 2, 'pay']];
  return el('table', { class: 'bits xor' }, el('caption', {}, `Unmasking: ${cells.slice(0, 1).map(([m, k, d]) => `${hex2(m)} ^ ${hex2(k)} = ${hex2(d)}${d > 32 && d < 127 ? ` ${String.fromCharCode(d)}` : ''}`)}`),
    el('tbody', {}, ...lines.map(([name, i, kind]) => el('tr', {}, el('th', { scope: 'row', colspan: 2 }, name), ...cells.map((cell) => el('td', { class: kind }, hex2(cell[i]), i === 2 && cell[2] > 32 && cell[2] < 127 ? el('small', {}, String.fromCharCode(cell[2])) : null)), cells.length < 8 ? el('td', { class: 'none', colspan: 8 - cells.length }) : null))));
}
function dump(label, data, cut, len, bad) {
  if (!data.length) return [];
  const lines = [];
  for (let i = 0; i < data.length; i += 8) {
    const part = data.subarray(i, i + 8);
    lines.push(`${i.toString(16).padStart(4, '0')}  ${hex(part).padEnd(24)} ${Array.from(part, (b) => (b > 31 && b < 127 ? String.fromCharCode(b) : '·')).join('')}`);
  }
  const copy = (name, make) => el('button', { onclick: () => navigator.clipboard.writeText(make()).catch(() => alarm('Could not copy. Select the text instead.')) }, name);
  return [block(label, bad && 'bad', lines.join('\n')), cut ? p(`The first ${bytes(data.length)} of ${bytes(len)}.`, { class: 'muted' }) : null,
    el('p', { class: 'buttons' }, 'Copy as ', copy('hex', () => hex(data)), copy('Base64', () => btoa(String.fromCharCode(...data))), copy('text', () => text(data)))].filter(Boolean);
}
function asText(data, e) {
  if (!data.length || !worded(e)) return [];
  let written = text(data);
  try { written = JSON.stringify(JSON.parse(written), null, 2); } catch { /* not JSON */ }
  return [block('Payload as text', null, el('bdi', { dir: 'auto' }, ...written.split('\n').flatMap((line, i) => (i ? ['\n', shown(line)] : [shown(line)]))))];
}
function judged(e) {
  if (!e.fail) return [p(e.note || (e.joined ? `No rule is broken. ${e.joined}.` : 'No rule is broken.'), { class: 'good' })];
  const { rule, answer, c } = e.fail, [, rfc, section] = /RFC (\d+),? section ([\d.]+)/.exec(rule?.where || '') || [];
  const frame = answer && connection(c).frames.get(answer);
  return [rule ? p(rule.text) : null, rfc ? el('p', {}, el('a', { href: `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`, rel: 'noreferrer', target: '_blank' }, rule.where), ` · ${rule.id}`) : null,
    frame ? el('button', { onclick: () => choose(frame, true) }, `The answer: No. ${answer}`) : null].filter(Boolean);
}

// The connection that is looked at.
const looked = () => connections.get($('pick').value === 'own' ? current : $('pick').value === 'all' ? chosen?.c ?? current ?? [...connections.keys()].at(-1) : +$('pick').value);
function connectionPanels() {
  const k = looked();
  for (const [id, make] of Object.entries({ hand, comp, close: closing, keep })) {
    const panel = $(`p-${id}`);
    if (panel.hidden || panel.contains(document.getSelection()?.anchorNode) && !document.getSelection().isCollapsed) continue;
    const fresh = k ? make(k) : [p('No connection yet.', { class: 'muted' })];
    const holder = el('div', {}, ...fresh);
    if (panel.innerText !== holder.innerText && !panel.contains(document.activeElement?.closest('pre'))) panel.replaceChildren(...fresh);
  }
}
const CHECKED = /^(host|upgrade|connection|sec-websocket-(key|version|accept|extensions))$/i;
function hand(k) {
  const made = [el('h3', {}, `Connection ${k.c}: ${others(k.c)}, ${k.peer || ''}`)];
  for (const head of k.heads) {
    made.push(el('h3', {}, head.dir === 'in' ? 'The request' : 'The answer'), block(head.dir === 'in' ? 'Head of the request' : 'Head of the answer', null,
      shown(head.line), ...head.fields.flatMap(([name, value]) => ['\n', el(CHECKED.test(name) ? 'mark' : 'span', {}, `${shown(name)}: ${shown(value)}`)])));
  }
  if (k.accept) {
    const a = k.accept, step = (name, value) => el('li', {}, el('span', {}, name), el('br'), el('code', {}, value));
    made.push(el('h3', {}, 'The accept value'), el('ol', { class: 'steps', id: 'accept' }, step('The client’s key', shown(a.key)), step('+ the fixed text of RFC 6455', a.guid), step('SHA-1', a.sha1), step('Base64 = Sec-WebSocket-Accept', a.value)),
      p(a.sent === a.value ? 'Sent: the same' : `Sent: ${shown(a.sent)}`, { class: a.sent === a.value ? 'good' : 'breaks', id: 'sent' }));
  }
  const o = k.agreed?.origin;
  if (o) made.push(p(`Origin ${shown(o.value ?? 'absent')}: ${o.ok ? 'allowed' : 'refused'} by the policy “${o.policy}”.`));
  if (k.agreed) made.push(p(k.agreed.subprotocol ? `Subprotocol: ${shown(k.agreed.subprotocol)}` : 'No subprotocol.'));
  return made;
}
function comp(k) {
  const d = k.agreed?.deflate, asked = k.heads.find((head) => head.dir === 'in')?.fields.find(([name]) => /^sec-websocket-extensions$/i.test(name))?.[1];
  const made = [el('dl', { class: 'facts' }, el('dt', {}, 'Offered'), el('dd', {}, shown(d?.offer ?? asked ?? 'nothing')), el('dt', {}, 'Answered'), el('dd', {}, shown(d?.answer ?? 'nothing')))];
  if (!d?.answer) return [...made, p(`Not agreed: ${asked ? 'the server runs without it.' : 'the client did not offer it.'}`)];
  for (const [dir, name] of [['in', 'Client → server'], ['out', 'Server → client']]) {
    const { wire, plain } = k.state?.[dir] || {}, window = 2 ** d[dir].bits;
    made.push(p(`${name}: window ${window < 1024 ? `${window} bytes` : `${window / 1024} KiB`}, ${d[dir].kept ? 'kept between messages' : 'new for each message'}. ${plain ? `${bytes(plain)} became ${bytes(wire)} (${percent(wire, plain)}).` : 'No message yet.'}`));
  }
  const squeezed = [...k.frames.values()].filter((e) => e.inflated).slice(-10);
  if (squeezed.length) made.push(sums('The last compressed messages', ['No.', 'message', 'last frame', 'ratio'], squeezed.map((e) => [e.n, bytes(e.inflated.len), bytes(e.len), e.part ? '' : percent(e.len, e.inflated.len || 1)])));
  return made;
}
function sums(caption, heads, lines) {
  const tr = (tag, cells, attributes) => el('tr', {}, ...cells.map((cell) => el(tag, attributes, String(cell))));
  return el('table', { class: 'sums' }, el('caption', { class: 'hide' }, caption), el('thead', {}, tr('th', heads, { scope: 'col' })), el('tbody', {}, ...lines.map((cells) => tr('td', cells))));
}
const TIMERS = { ping: (s) => `Next Ping in ${s} s`, pong: (s) => `Waits ${s} s for the Pong`, idle: (s) => `Closes in ${s} s if nothing comes`, stalled: (s) => `Waits ${s} s for the rest of the message`, slow: (s) => `Looks in ${s} s how fast the message comes`, blocked: (s) => `Waits ${s} s for the peer to read`, closing: (s) => `Waits ${s} s for the peer's Close` };
function closing(k) {
  const s = k.state || {}, pair = (close) => (close ? `: ${close[0] ?? 'no code'} ${shown(close[1] ?? '')}` : '');
  const sent = s.close_sent, received = s.close_received, over = !!k.closed || s.transport === 'close';
  const steps = [['Close sent', sent], ['Close received', received]];
  if (k.closed?.by === 'peer' || (received && !sent)) steps.reverse();
  steps.push(['Output ended', over || (s.transport && s.transport !== 'open')], ['Stream ended', over]);
  const made = [el('ul', { class: 'steps' }, ...steps.map(([name, done]) => el('li', { class: done ? 'good' : null }, `${done ? '☑' : '☐'} ${name}${Array.isArray(done) ? pair(done) : ''}`)))];
  const left = s.timer && !k.closed ? Math.max(0, s.timer.in_ms - (performance.now() - s.now)) : null;
  const say = left === null ? null : TIMERS[s.timer.kind] || ((n) => `The next timer runs out in ${n} s`);
  made.push(el('h3', {}, 'Timers'), p(say ? say(Math.ceil(left / 1000)) : 'No timer runs'));
  if (say) {
    const bar = el('div', { class: 'left' });
    k.longest = Math.max(left, s.timer.kind === k.timing ? k.longest : 0);
    k.timing = s.timer.kind;
    bar.style.setProperty('--left', left / (k.longest || 1));
    made.push(bar);
  }
  if (k.closed) made.push(p(`Closed: ${ending(k.closed)}${k.closed.reason ? ` Reason: “${shown(k.closed.reason)}”.` : ''}`));
  return made;
}
function keep(k) {
  if (!k.rtt.length) return [p('No Ping was answered yet.', { class: 'muted' })];
  const all = k.rtt.map(({ us }) => us);
  return [p(`Round trip ${ms(all.at(-1))}`), p(`Lowest ${ms(Math.min(...all))}, highest ${ms(Math.max(...all))}, of the last ${all.length}.`),
    sums('Pings and their Pongs', ['Ping', 'Pong', 'after'], k.rtt.map((e) => [`No. ${e.ping}`, `No. ${e.pong}`, ms(e.us)]))];
}

// What is chosen above the frames.
function picks(value = $('pick').value) {
  const last = [...connections.values()].filter((k) => k.kind || k.mine).slice(-30);
  $('pick').replaceChildren(...(inspecting() ? [] : [el('option', { value: 'own' }, 'This page')]), el('option', { value: 'all' }, 'All'),
    ...last.map((k) => el('option', { value: k.c }, `${k.c}: ${others(k.c)}${k.closed ? ', ended' : ''}`)));
  $('pick').value = value;
  if (!$('pick').value) $('pick').value = inspecting() ? 'all' : 'own';
}
function cases() {
  let group = null;
  $('cases').replaceChildren(...hello.cases.flatMap((one) => {
    const heading = one.group && one.group !== group ? [el('h4', {}, (group = one.group))] : [];
    return [...heading, el('div', { class: 'case' }, el('button', { onclick: () => run(one.id, { do: 'case', id: one.id }) }, one.label), el('p', { id: `case-${one.id}`, role: 'status' }))];
  }));
}
function run(id, what) {
  $(`case-${id}`).textContent = 'Asked…';
  command(what);
}

function tab(name, focus) {
  for (const button of $('tabs').children) {
    const yes = button.id === `tab-${name}`;
    button.setAttribute('aria-selected', yes);
    button.tabIndex = yes ? 0 : -1;
    if (yes && focus) button.focus();
    $(button.getAttribute('aria-controls')).hidden = !yes;
  }
  connectionPanels();
}
function view(name, focus) {
  document.body.dataset.view = name;
  for (const button of document.querySelectorAll('#views button')) {
    const yes = button.id === `view-${name === 'frame' ? 'frames' : name}`;
    button.setAttribute('aria-selected', yes);
    button.tabIndex = yes ? 0 : -1;
    if (yes && focus) button.focus();
  }
  if (name === 'connection' && !$('p-frame').hidden) tab('hand');
  if (name === 'frame') $('back').focus();
  if (name === 'frames' && follows) toEnd();
}
function tabKeys(list, go) {
  list.addEventListener('keydown', (event) => {
    const all = [...list.querySelectorAll('button')].filter((button) => button.offsetParent), i = all.indexOf(event.target);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || i < 0) return;
    event.preventDefault();
    go(all.at(to % all.length), true);
  });
  list.addEventListener('click', (event) => event.target.role === 'tab' && go(event.target));
}
const phone = matchMedia('(max-width: 767px)');
function enter(e) {
  if (!phone.matches) return (e.t === 'head' ? $('p-hand') : $('p-frame')).focus();
  view(e.t === 'head' ? 'connection' : 'frame');
}
function back() {
  if (phone.matches) view('frames');
  chosen?.row ? choose(chosen, true) : $('frames').focus();
}

// Sentences for the reader.
function alarm(what, ...more) {
  const old = [...$('alerts').children].at(-1);
  const box = el('p', { class: 'alert' }, el('span', {}, shown(what)), ...more, el('button', { 'aria-label': 'Close this notice', onclick: () => box.remove() }, '×'));
  old?.remove();
  $('alerts').append(box);
  return box;
}
function line(...children) {
  const log = $('log'), follows = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  log.append(el('p', {}, ...children));
  if (log.children.length > 500) log.firstChild.remove();
  if (follows) log.scrollTop = log.scrollHeight;
}
const note = (what) => line(el('em', { class: 'muted' }, shown(what.length > 120 ? `${what.slice(0, 119)}…` : what)));
function state(what, kind) {
  $('state').textContent = what;
  $('state').className = `pill ${kind}`;
}
function pauseText() {
  const sum = Object.entries(paused.base).reduce((all, [c, base]) => all + Math.max(0, count(connections.get(+c)) - base), 0);
  $('paused').firstElementChild.textContent = `Paused. ${number(sum)} frames so far.`;
}
const count = (k) => (k?.state ? k.state.in.frames + k.state.out.frames : 0);
function pause(yes) {
  paused = yes ? { base: Object.fromEntries([...connections].map(([c, k]) => [c, count(k)])) } : null;
  command({ do: 'pause', on: yes });
  $('pause').setAttribute('aria-pressed', yes);
  $('paused').hidden = !yes;
  if (yes) pauseText();
}
function totals() {
  const k = $('pick').value === 'all' ? null : looked(), s = k?.state;
  const mine = items.filter((e) => e.t === 'frame' && shownHere(e)), ins = mine.filter((e) => e.dir === 'in').length;
  const words = s ? `${number(s.in.frames + s.out.frames)} frames, ${number(s.in.frames)} received (${bytes(s.in.wire)}), ${number(s.out.frames)} sent (${bytes(s.out.wire)}), ${Math.round(Math.max(s.at, k.closed?.at || 0) / 1e6)} s`
    : `${number(mine.length)} frames, ${number(ins)} received, ${number(mine.length - ins)} sent`;
  if ($('totals').textContent !== words) $('totals').textContent = words;
}
function save(kind) {
  const kept = matching().filter((e) => e.t === 'frame' || e.t === 'head');
  const frames = kept.filter((e) => e.t === 'frame');
  const lines = kind === 'json' ? kept.map(({ row: _, hay: __, ...e }) => JSON.stringify(e))
    : frames.map((e) => `${e.dir === 'in' && !e.cut ? '' : `# ${e.dir === 'in' ? 'cut' : 'sent'}: `}${e.h}${hex(unbase64(e.raw || e.data)).replaceAll(' ', '')}`);
  const link = el('a', { href: URL.createObjectURL(new Blob([`${lines.join('\n')}\n`], { type: 'text/plain' })), download: `frames.${kind === 'json' ? 'jsonl' : 'hex'}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The two connections: `/inspect`, which feeds the view, and `/chat`, which is looked at.
let feed = null, chat = null, tries = 0, timer = null;
const command = (what) => feed?.readyState === 1 && feed.send(JSON.stringify(what));
function inspect() {
  clearTimeout(timer);
  timer = null;
  if (feed?.readyState < 2) return;
  feed = new WebSocket(address('/inspect'), 'sockless.inspect.1');
  let opened = false;
  feed.addEventListener('open', () => {
    opened = true;
    tries = 0;
    $('alerts').replaceChildren();
    document.body.classList.remove('lost');
    current = null;
  });
  feed.addEventListener('message', ({ data }) => {
    for (const e of JSON.parse(data)) on[e.t]?.(e, e.c === undefined ? null : connection(e.c));
    if (!changed) requestAnimationFrame(picture);
    changed = true;
  });
  feed.addEventListener('close', () => lost(opened));
}
function picture() {
  changed = false;
  draw();
  connectionPanels();
}
function lost(was) {
  chat?.close();
  chat = null;
  const seconds = [1, 2, 4, 8, 15][Math.min(tries++, 4)], waits = seconds + Math.random() * seconds * 0.25;
  state('Connecting', '');
  if (timer) return;
  document.body.classList.add('lost');
  const said = was || tries > 1 ? 'The server has stopped.' : 'The server refused the connection. Browsers do not say why; the terminal does.';
  alarm(`${said} Trying again in ${Math.round(waits)} s.`, el('button', { onclick: inspect }, 'Try now'));
  const again = () => (document.hidden ? document.addEventListener('visibilitychange', inspect, { once: true }) : inspect());
  timer = setTimeout(again, waits * 1000);
}
let times = 0;
function talk() {
  if (chat && chat.readyState < 2) return;
  state('Connecting', '');
  const socket = (chat = new WebSocket(address('/chat', hello.tab ? { tab: hello.tab } : {})));
  socket.binaryType = 'arraybuffer';
  let opened = false;
  socket.addEventListener('open', () => {
    opened = true;
    state('Open', 'open');
    if (times++) note('Connected again.');
  });
  socket.addEventListener('message', ({ data }) => {
    let said = null;
    try { said = typeof data === 'string' && JSON.parse(data); } catch { /* an echo of what is no chat line */ }
    if (!said || typeof said !== 'object') return;
    if (said.you) $('name').value = said.you;
    if (said.say !== undefined) line(el('b', {}, peers(said.from ?? '')), peers(said.say));
    if (said.note) note(said.note);
    if (said.here) $('here').textContent = said.here === 1 ? 'You are the only one here. Open this page in a second tab.' : `${said.here} people are here.`;
  });
  socket.addEventListener('close', (event) => {
    if (socket !== chat) return;
    const how = opened ? `Closed: ${event.code}, ${event.wasClean ? 'clean' : 'not clean'}` : 'The server refused the connection. Browsers do not say why; the terminal does.';
    state(opened ? how : 'Refused', event.wasClean ? '' : 'closed');
    note(`${how}${opened ? '.' : ''} Connecting again in 4 s.`);
    setTimeout(() => feed?.readyState === 1 && talk(), 4000);
  });
}
const say = (data) => (chat?.readyState === 1 ? chat.send(data) : note('Not connected.'));

// Events of the page.
$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!$('say').value) return;
  say(JSON.stringify({ say: $('say').value }));
  $('say').value = '';
});
$('name').addEventListener('change', () => say(JSON.stringify({ name: $('name').value })));
$('tools').addEventListener('click', ({ target }) => {
  const { send, close, do: what, ping } = target.closest('button')?.dataset || {};
  const random = (n) => crypto.getRandomValues(new Uint8Array(n));
  if (send) say({ text: () => 'Hello', binary: () => random(16), random: () => random(65536) }[send]());
  if (close) chat?.close(+close, 'from the page');
  if (what) command({ do: what, ...(what === 'close' ? { code: +$('code').value } : {}), ...(what === 'fragments' ? { ping: !!ping } : {}) });
});
$('code').addEventListener('change', () => { $('code-shown').textContent = $('code').value; });
$('hex').addEventListener('submit', (event) => {
  event.preventDefault();
  run('hex', { do: 'hex', bytes: $('bytes').value.replace(/\s/g, '') });
});
for (const id of ['pick', 'dir', 'control']) $(id).addEventListener('change', () => (redraw(), connectionPanels(), totals()));
$('filter').addEventListener('input', () => redraw());
$('pause').addEventListener('click', () => pause(!paused));
$('go-on').addEventListener('click', () => pause(false));
$('clear').addEventListener('click', () => {
  items = [];
  gone = 0;
  for (const k of connections.values()) k.frames.clear();
  redraw();
});
$('save').addEventListener('change', () => {
  if ($('save').value) save($('save').value);
  $('save').value = '';
});
$('newest').addEventListener('click', () => redraw());
$('box').addEventListener('scroll', ({ target: box }) => {
  if (box.clientHeight) follows = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
});
$('earlier').addEventListener('click', () => {
  const all = matching(), from = all.indexOf(drawn[0]);
  redraw(Math.min(all.length, from + 100));
  $('box').scrollTop = 0;
});
$('rows').addEventListener('click', ({ target }) => {
  const e = target.closest('.row')?.item;
  if (!e) return;
  choose(e, true);
  if (phone.matches) enter(e);
});
$('rows').addEventListener('keydown', (event) => {
  const i = drawn.findIndex((e) => e.row === event.target), page = Math.max(1, Math.floor($('box').clientHeight / 24) - 1);
  if (i < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const to = { ArrowUp: i - 1, ArrowDown: i + 1, PageUp: i - page, PageDown: i + page, Home: 0, End: drawn.length - 1 }[event.key];
  const act = { Enter: () => (choose(drawn[i]), enter(drawn[i])), p: () => pause(!paused), f: () => $('filter').focus(), c: () => $('control').click() }[event.key];
  if (to === undefined && !act) return;
  event.preventDefault();
  if (act) act();
  else choose(drawn[Math.min(Math.max(to, 0), drawn.length - 1)], true);
});
$('side').addEventListener('keydown', (event) => event.key === 'Escape' && back());
$('back').addEventListener('click', back);
tabKeys($('tabs'), (button, focus) => tab(button.id.slice(4), focus));
tabKeys($('views'), (button, focus) => view(button.id.slice(5), focus));
$('theme').addEventListener('change', () => theme($('theme').value, true));
function theme(value, keep) {
  document.documentElement.style.setProperty('color-scheme', value);
  $('theme').value = value;
  try { if (keep) localStorage.setItem('theme', value); } catch { /* not allowed here */ }
}
try { theme(localStorage.getItem('theme') || 'light dark'); } catch { /* not allowed here */ }
$('tools').open = !phone.matches;
$('hex').append(el('p', { id: 'case-hex', role: 'status' }));
tab('frame');
view('chat');
setInterval(connectionPanels, 1000);
setInterval(totals, 5000);
changed = false;
inspect();
