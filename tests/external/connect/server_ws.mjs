// Echo servers of the Node library `ws`, over Node's own `https`. On 127.0.0.1, and else as server_websockets.py
// has it:
//
// usage: node server_ws.mjs FILE    INTEROP_MODULES names the directory that `ws` is installed in

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.env.INTEROP_MODULES, 'package.json'));
const { WebSocketServer } = require('ws');

function made(settings) {
  if (settings === null) return http.createServer();
  const options = { cert: readFileSync(settings.certificate), key: readFileSync(settings.key) };
  if (settings.clients) {
    Object.assign(options, { ca: readFileSync(settings.clients), requestCert: true, rejectUnauthorized: true });
  }
  if (settings.version) {
    options.minVersion = options.maxVersion = `TLSv${settings.version}`;
  }
  return https.createServer(options);
}

function echo(socket) {
  socket.on('message', (data, isBinary) => {
    if (data.toString() === 'close') socket.close(1000);
    else if (data.toString() === 'close later') setTimeout(() => socket.close(1000), 600);
    else socket.send(data, { binary: isBinary });
  });
  socket.on('error', () => {});
}

const ports = {};
for (const [name, settings] of Object.entries(JSON.parse(readFileSync(process.argv[2])))) {
  const server = made(settings);
  server.on('tlsClientError', () => {});
  new WebSocketServer({ server, perMessageDeflate: true }).on('connection', echo);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ports[name] = server.address().port;
}
console.log('listening on', JSON.stringify(ports));
