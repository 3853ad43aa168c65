// The conversation of `messages.py`, for Node and for browsers alike.

// Reads what `messages.to_json` wrote.
export function decode(messages) {
  return messages.map(({ text, ping, parts }) => {
    const decoded = text ? parts : parts.map((part) => Uint8Array.from(atob(part), (octet) => octet.charCodeAt(0)));
    return { text, ping, parts: decoded, whole: text ? decoded.join('') : concatenated(decoded) };
  });
}

// Sends all messages, `batch` at a time, and compares each echo: text with text, octets with octets.
export async function converse(messages, batch, send, receive) {
  for (let start = 0; start < messages.length; start += batch) {
    const some = messages.slice(start, start + batch);
    some.forEach(send);
    for (const [at, message] of some.entries()) {
      const echo = await receive();
      if (!same(echo, message.whole)) throw new Error(`the echo of message ${start + at} differs`);
    }
  }
}

// A queue of what comes, so that nothing is missed.
export class Queue {
  items = [];
  waiting = [];

  put(item) {
    const waiter = this.waiting.shift();
    if (waiter) waiter.resolve(item);
    else this.items.push(item);
  }

  // Nothing more will come.
  fail(error) {
    this.error = error;
    this.waiting.splice(0).forEach((waiter) => waiter.reject(error));
  }

  take() {
    if (this.items.length > 0) return Promise.resolve(this.items.shift());
    if (this.error) return Promise.reject(this.error);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }
}

function same(echo, message) {
  if (typeof echo !== typeof message || echo.length !== message.length) return false;
  return typeof echo === 'string' ? echo === message : echo.every((octet, at) => octet === message[at]);
}

function concatenated(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
