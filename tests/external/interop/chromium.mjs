// The page's part of `chromium.py`: takes one task after the other, and reports how each went.

import { converse, decode, Queue } from './talk.mjs';

async function main() {
  for (;;) {
    const task = await (await fetch('/task', { cache: 'no-store' })).json();
    if (task.url) await fetch('/result', { method: 'POST', body: JSON.stringify(await run(task)) });
  }
}

async function run({ url, batch, messages }) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const received = new Queue();
  const opened = new Promise((resolve) => socket.addEventListener('open', resolve));
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve));
  socket.addEventListener('message', ({ data }) => received.put(typeof data === 'string' ? data : new Uint8Array(data)));
  closed.then(({ code }) => received.fail(new Error(`closed with ${code}`)));
  const result = {};
  try {
    await Promise.race([opened, closed]);
    result.extensions = socket.extensions;
    await converse(decode(messages), batch, ({ whole }) => socket.send(whole), () => received.take());
  } catch (error) {
    result.error = String(error);
  }
  socket.close(1000, 'done');
  const { code, wasClean } = await closed;
  return { ...result, code, wasClean };
}

await main();
