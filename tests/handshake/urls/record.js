// Records what a browser makes of URLs: `node tests/handshake/urls/record.js > tests/handshake/urls/table.json`, with Node 20, whose
// `URL` is the WHATWG URL standard's. Nothing of it runs in the tests, which read the table alone.

const inputs = [];

// By hand: as services document them, as people type them, and the corners of the standard.
inputs.push(
  'ws://h', 'WSS://H/', 'wss://Example.COM:443/a', 'ws://h:80/', 'wss://h:80', 'ws://h:443', 'ws://h:0081/', 'ws://h:',
  'ws://h:65535', 'ws://h:65536', 'ws://h:8x', 'ws://h:-1', 'ws://h:+1', 'ws://h:0', 'ws://h:00000000000080', 'ws://h: 80',
  'http://h/x', 'https://h/x', 'HTTP://h', 'ftp://h/', 'h', '//h/', '/x', '', 'ws', 'ws:', 'ws:/', 'ws://', 'ws:///', 'ws:////',
  'ws:h', 'ws:/h', 'ws:///h', 'ws:////h/x', 'ws:\\\\h\\x', 'ws:\\h', 'ws:/\\h/x', 'mailto:a@b', 'wsx://h', 'w-s://h', ' ws://h ',
  '\u0000\u001f ws://h/x \u0001', 'ws://h/a b', 'ws://h/a\tb', 'w\ts://h\n/\rx', 'ws://h/\n', 'ws://h\t:\n8\r1/', 'ws://h/ ',
  'wss://stream.example/ws/{symbol}@trade', 'wss://h/api/v1/[room]/x', 'wss://h/a|b', 'wss://h/?q={"a":"b c"}', 'wss://h/100%',
  'wss://h/%', 'wss://h/%4', 'wss://h/%zz?%x', 'wss://h/%C3%BC', 'wss://h/%c3%bc', 'wss://h/\u00fc?\u00fc', 'wss://h/\u4e2d\u6587/\u{1f600}?\u{1f600}',
  'wss://h/a?b?c=/d//e', 'wss://h?x=1', 'wss://h?', 'wss://h/p?', 'wss://h/?\'a\'', 'wss://h/\'a\'', 'wss://h/a;b=c,d!$&()*+:@',
  'ws://h/#', 'ws://h#f', 'ws://h/p?q#f', 'ws://h/#?', 'ws://h/%23', 'ws://h?#', 'ws://h\\x', 'ws://h\\x\\..\\y', 'ws://h/a\\b?c\\d',
  'ws://h/.', 'ws://h/..', 'ws://h/./', 'ws://h/../', 'ws://h/a/./b', 'ws://h/a/../b', 'ws://h/a/..', 'ws://h/a/.', 'ws://h/a/../..',
  'ws://h/a/%2e', 'ws://h/a/%2E%2e/b', 'ws://h/a/.%2e/b', 'ws://h/a/%2e./b', 'ws://h/a/%2e%2f', 'ws://h/...', 'ws://h/a..', 'ws://h/..a',
  'ws://h//', 'ws://h//a//', 'ws://h//../x', 'ws://h/a//../b', 'ws://h/?a/../b', 'ws://h/a;/../b', 'ws://h/C:/../x', 'ws://h/./..//./x',
  'ws://u@h/', 'ws://u:p@h:81/x', 'ws://:p@h', 'ws://u:@h', 'ws://@h', 'ws://:@h', 'ws://u%40x:p%3A%2f@h', 'ws://u:p:q@h', 'ws://u@v@h', 'ws://u%3Av:p@h',
  'ws://\u00fc:\u00df@h', 'ws://a%zz:%@h', 'ws://u:p@', 'ws://u@/x', 'ws://u@:80', 'ws://u;=,!$&\'()*+:p~._-@h', 'ws://u%00:p@h', 'ws://u /p@h', 'ws://u p:p"@h',
  'ws://u?@h', 'ws://u\\@h', 'ws://u[:]p@h', 'http://u:p@h/', 'ws://user:pass%21@127.0.0.1:9/x?y',
  'ws://127.0.0.1', 'ws://127.1', 'ws://127.0.1', 'ws://1', 'ws://0x7f.1', 'ws://0X7F000001', 'ws://017700000001', 'ws://2130706433', 'ws://4294967295', 'ws://4294967296',
  'ws://256.1.1.1', 'ws://1.256', 'ws://1.65536.1', 'ws://1.2.65535', 'ws://1.2.65536', 'ws://1.2.3.4.5', 'ws://1.2.3.4.', 'ws://1.2.3.4..', 'ws://1.2.3.09', 'ws://1.2.3.0x', 'ws://0x', 'ws://0x.0x',
  'ws://1.2.3.a', 'ws://a.1', 'ws://a.0x1', 'ws://a.0xg', 'ws://a.01', 'ws://a.08', 'ws://1.', 'ws://1..2', 'ws://.1', 'ws://..', 'ws://.', 'ws://a.', 'ws://a..b', 'ws://a.b.', 'ws://1e3', 'ws://0xffffffff1', 'ws://99999999999999999999', 'ws://a.99999999999999999999', 'ws://0x0x', 'ws://+1', 'ws://1.+2', 'ws://0x+1',
  'ws://[::1]', 'ws://[::1]:9/', 'ws://[0:0:0:0:0:0:0:1]', 'ws://[1:0:0:2:0:0:0:3]', 'ws://[1:0:0:2:3:0:0:4]', 'ws://[1:0:2:3:4:5:6:7]', 'ws://[::]', 'ws://[::ffff:1.2.3.4]', 'ws://[::1.2.3.4]', 'ws://[ABCD::EF]', 'ws://[1::]', 'ws://[0001::00aB]',
  'ws://[::1.2.3.04]', 'ws://[::1.2.3]', 'ws://[::1.2.3.256]', 'ws://[1:2:3:4:5:6:7:8:9]', 'ws://[1:2:3]', 'ws://[::1%25eth0]', 'ws://[::1%eth0]', 'ws://[]', 'ws://[::1', 'ws://::1', 'ws://[::1]x', 'ws://[::1]:x', 'ws://[v1.x]', 'ws://[:1]', 'ws://[1:::2]', 'ws://[::1]]', 'ws://x[::1]', 'ws://[12345::]', 'ws://[g::]', 'ws://[::1 ]', 'ws://[1:2:3:4:5:6:1.2.3.4]', 'ws://[1:2:3:4:5:6:7:1.2.3.4]', 'ws://[::%31]',
  'ws://\u00fc.example/', 'ws://\u4e2d\u6587.com', 'ws://xn--tda.example/', 'ws://a%C3%BC', 'ws://%41%62', 'ws://a%2Db', 'ws://%31.2.3.4', 'ws://a%', 'ws://a%4', 'ws://a%zz', 'ws://a%20b', 'ws://a%2Fb', 'ws://a%40b', 'ws://a%00', 'ws://%ff', 'ws://%',
  'ws://a_b', 'ws://-a-', 'ws://a~b', 'ws://a!b$c&d', 'ws://a,b;c=d', 'ws://(a)', 'ws://a*b+c', 'ws://a\'b', 'ws://a"b', 'ws://a`b', 'ws://a{b}', 'ws://a|b', 'ws://a^b', 'ws://a<b', 'ws://a>b',
  'ws://a b', 'ws://localhost', 'ws://LOCALHOST:9001/Path/To', 'wss://h/a%2Fb', 'wss://h/a+b?c+d', 'wss://h/~a', 'wss://h/?a=b&c=d%26e', 'wss://h/?a=[1]', 'wss://h/\ufffd', 'wss://h/\u00a0', 'wss://h/\u2028', 'wss://h/\u00ad', 'ws://h\u00ad',
);
// Every ASCII character, in each part.
for (let c = 0; c < 128; c++) {
  const s = String.fromCharCode(c);
  inputs.push(`wss://h/a${s}b`, `wss://h/?a${s}b`, `wss://a${s}b/`, `wss://u${s}v:w@h/`);
}
// Parts by parts.
for (const scheme of ['ws:', 'WsS://', 'http://', 'https:\\\\']) {
  for (const authority of ['h', 'H.x:443', 'u:p@h:80', '[::1]:8080', '10.1']) {
    for (const rest of ['', '/', '?a b', '/a/../b c?d e', '\\x?\\y', '/{a}/%7b?{b}#']) inputs.push(scheme + authority + rest);
  }
}

const bases = ['ws://a/b/c/d;p?q', 'wss://u:p@h:81', 'wss://h/x/', 'ws://h?q', 'ws://h//x//y?z'];
const references = [
  // RFC 3986 section 5.4, less what names another scheme.
  'g', './g', 'g/', '/g', '//g', '?y', 'g?y', '#s', 'g#s', 'g?y#s', ';x', 'g;x', 'g;x?y#s', '', '.', './', '..', '../', '../g', '../..', '../../',
  '../../g', '../../../g', '../../../../g', '/./g', '/../g', 'g.', '.g', 'g..', '..g', './../g', './g/.', 'g/./h', 'g/../h', 'g;x=1/./y', 'g;x=1/../y',
  'g?y/./x', 'g?y/../x', 'g#s/./x', 'g#s/../x', 'ws:g', 'wss:g', 'ws:', 'ws:?y', 'wss:/g', 'ws:/g', 'ws://g', 'wss://g/x',
  // As servers send them.
  ' /g ', '/a b', '/\u00fc', '\\g', '\\\\g\\x', '/\\g', '//g:82/x', '//u:p@g/', '//', '///g', '?', '#', '/?', 'a:b', 'g:', '1:2', './a:b', '%2e%2e/g', '..\\g', '/%zz', '//\u00fc/', 'ftp://g/', 'mailto:x',
  'ws:\\\\g', 'wss:////g', 'ws://u@g', '?a b\'c', 'g\tx', '//g:0', '//[::1]/x', 'javascript:1',
];

const wire = (input, base) => {
  const entry = base === undefined ? { input } : { input, base };
  let url;
  try {
    url = new URL(input, base);
  } catch {
    return { ...entry, failure: true };
  }
  const [front, fragment] = url.href.split(/#(.*)/s);
  const at = front.indexOf('?');
  const secure = { 'ws:': false, 'http:': false, 'wss:': true, 'https:': true }[url.protocol];
  if (secure === undefined) return { ...entry, scheme: url.protocol };
  return {
    ...entry,
    secure,
    host: url.hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: url.pathname,
    query: at < 0 ? null : front.slice(at + 1),
    fragment: fragment !== undefined,
    user: url.username,
    password: url.password,
  };
};

const entries = inputs.map((input) => wire(input));
for (const base of bases) for (const reference of references) entries.push(wire(reference, base));
process.stdout.write('[\n' + entries.map((entry) => JSON.stringify(entry)).join(',\n') + '\n]\n');
