/** AuthorizationPolicy: what is asked for. One caller, one server. */
import { expect } from 'vitest';
import { ACCESS, judged, only } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import type { RigCall } from './kit/rig.ts';

const HOST = 'reviews.bookinfo.svc.clusterset.local';
const behaviour = behavioursOf({ net: 122, ...ACCESS, clusters: ['east'], clients: ACCESS.clients.slice(0, 1) });

const allow = (operation: object) => only('ALLOW', { to: [{ operation }] });
const deny = (operation: object) => only('DENY', { to: [{ operation }] });
const when = (action: 'ALLOW' | 'DENY', key: string, more: object) => only(action, { when: [{ key, ...more }] });
const paths = (answers: Readonly<Record<string, number>>): [RigCall, number][] =>
  Object.entries(answers).map(([path, status]) => [{ path }, status]);
const tier = (value: string | string[]): RigCall => ({ headers: { 'x-tier': value } });

behaviour('AZ-030', 'rules.to.operation.methods', 'a method', async (rig) => {
  await judged(
    rig,
    [allow({ methods: ['GET', 'HEAD'] })],
    [
      [{}, 200],
      [{ method: 'POST' }, 403],
    ],
  );
});

behaviour('AZ-031', 'rules.to.operation.notMethods', 'every other method', async (rig) => {
  await judged(
    rig,
    [deny({ notMethods: ['GET'] })],
    [
      [{}, 200],
      [{ method: 'DELETE' }, 403],
    ],
  );
});

behaviour('AZ-032', 'rules.to.operation.paths', 'a path is compared whole, without its query', async (rig) => {
  await judged(rig, [allow({ paths: ['/a'] })], paths({ '/a': 200, '/a?b=c': 200, '/a/b': 403, '/ab': 403, '/': 403 }));
});

behaviour('AZ-033', 'rules.to.operation.paths', 'a prefix and a suffix', async (rig) => {
  await judged(rig, [allow({ paths: ['/api/*', '*.css'] })], paths({ '/api/x/y': 200, '/x/site.css': 200, '/apis': 403, '/site.js': 403 }));
});

behaviour('AZ-034', 'rules.to.operation.paths', 'a star alone is every path', async (rig) => {
  await judged(rig, [allow({ paths: ['*'] })], paths({ '/': 200, '/a%2Fb': 200 }));
});

behaviour('AZ-035', 'rules.to.operation.paths', '{*} is one segment', async (rig) => {
  const answers = { '/users/ann/books': 200, '/users/books': 403, '/users/a/b/books': 403, '/users/a%2Fb/books': 403 };
  await judged(rig, [allow({ paths: ['/users/{*}/books'] })], paths(answers));
  await judged(rig, [deny({ paths: ['/users/{*}/books'] })], paths({ '/users/ann/books': 403, '/users/a/b/books': 200 }));
});

behaviour('AZ-036', 'rules.to.operation.paths', '{**} is any number of segments', async (rig) => {
  await judged(rig, [allow({ paths: ['/files/{*}/{**}'] })], paths({ '/files/a/b/c': 200, '/files/a/b': 200, '/file/a/b': 403 }));
  await judged(rig, [deny({ paths: ['/files/{**}'] })], paths({ '/files/a/b': 403, '/other': 200 }));
});

behaviour('AZ-037', 'rules.to.operation.notPaths', 'every other path', async (rig) => {
  await judged(rig, [deny({ notPaths: ['/public/*'] })], paths({ '/public/a': 200, '/private': 403 }));
  await judged(rig, [allow({ notPaths: ['/private*'] })], paths({ '/public/a': 200, '/private/b': 403 }));
});

behaviour('AZ-038', 'rules.to.operation.paths', 'dots are gone before a path is compared', async (rig) => {
  await judged(rig, [deny({ paths: ['/admin*'] })], paths({ '/x/../admin': 403, '/%61dmin': 403, '/./admin/b': 403, '/user': 200 }));
  await judged(rig, [allow({ paths: ['/public/*'] })], paths({ '/public/../admin': 403, '/admin/../public/x': 200 }));
});

behaviour('AZ-039', 'rules.to.operation.paths', 'slashes are one slash before a path is compared', async (rig) => {
  await judged(rig, [deny({ paths: ['/admin/x'] })], paths({ '//admin///x': 403, '/admin/y': 200 }));
});

behaviour('AZ-040', 'rules.to.operation.paths', 'an escaped slash is a slash to a rule that refuses', async (rig) => {
  const answers = { '/%2Fadmin': 403, '/admin%2fx': 403, '/x%2F..%2Fadmin': 403, '/x/..%5Cadmin': 403, '/a%2Fb': 200, '/administer': 200 };
  await judged(rig, [deny({ paths: ['/admin', '/admin/*'] })], paths(answers));
  await judged(rig, [deny({ notPaths: ['/public/*'] })], paths({ '/public/a%2Fb': 200, '/public/..%2Fadmin': 403 }));
});

behaviour(
  'AZ-041',
  'rules.to.operation.paths',
  'nobody is let in by dots between escaped slashes; others reach the application',
  async (rig) => {
    await judged(
      rig,
      [allow({ paths: ['/public/*'] })],
      paths({ '/public/a%2Fb': 200, '/public/..%2Fadmin': 403, '/public/x%5C..%2f': 403 }),
    );
    expect((await rig.call({ path: '/public/a%2Fb' })).got?.path).toBe('/public/a%2Fb');
  },
);

behaviour('AZ-042', 'rules.to.operation.hosts', 'a host, in any case', async (rig) => {
  await judged(
    rig,
    [allow({ hosts: [HOST.toUpperCase()] })],
    [
      [{ host: HOST }, 200],
      [{ host: `${HOST}:80` }, 403],
    ],
  );
});

behaviour('AZ-043', 'rules.to.operation.hosts', 'a prefix and a suffix', async (rig) => {
  await judged(
    rig,
    [allow({ hosts: ['*.CLUSTERSET.local'] })],
    [
      [{ host: HOST }, 200],
      [{ host: 'reviews.bookinfo' }, 403],
    ],
  );
  await judged(
    rig,
    [allow({ hosts: ['reviews.bookinfo*'] })],
    [
      [{ host: `${HOST}:80` }, 200],
      [{ host: 'reviews.bookinfo' }, 200],
    ],
  );
});

behaviour('AZ-044', 'rules.to.operation.hosts', 'is refused with a port behind it as well', async (rig) => {
  await judged(
    rig,
    [deny({ hosts: [HOST] })],
    [
      [{ host: HOST }, 403],
      [{ host: `${HOST}:80` }, 403],
      [{ host: 'reviews.bookinfo' }, 200],
    ],
  );
});

behaviour('AZ-045', 'rules.to.operation.notHosts', 'every other host', async (rig) => {
  await judged(
    rig,
    [allow({ notHosts: ['reviews.bookinfo'] })],
    [
      [{ host: HOST }, 200],
      [{ host: 'reviews.bookinfo:80' }, 403],
    ],
  );
});

behaviour('AZ-046', 'rules.to.operation.ports', 'the port that the application listens on', async (rig) => {
  const [http, http2]: readonly RigCall[] = [{}, { host: `${HOST}:82`, http2: true }];
  await judged(
    rig,
    [allow({ ports: ['9080'] })],
    [
      [http ?? {}, 200],
      [http2 ?? {}, 403],
    ],
  );
  await judged(
    rig,
    [deny({ ports: ['9082', '80'] })],
    [
      [http ?? {}, 200],
      [http2 ?? {}, 403],
    ],
  );
  await judged(
    rig,
    [when('ALLOW', 'destination.port', { values: ['9082'] })],
    [
      [http ?? {}, 403],
      [http2 ?? {}, 200],
    ],
  );
});

behaviour('AZ-047', 'rules.to.operation.notPorts', 'every other port', async (rig) => {
  await judged(
    rig,
    [allow({ notPorts: ['9080'] })],
    [
      [{}, 403],
      [{ host: `${HOST}:82` }, 200],
    ],
  );
});

behaviour('AZ-048', 'rules.when.key: destination.ip', 'the address of the workload', async (rig) => {
  await judged(rig, [when('ALLOW', 'destination.ip', { values: ['127.81.122.21'] })], [[{}, 200]]);
  await judged(rig, [when('ALLOW', 'destination.ip', { notValues: ['127.81.122.0/24'] })], [[{}, 403]]);
});

behaviour('AZ-049', 'rules.when.key: connection.sni', 'the server name that a sidecar asks for', async (rig) => {
  await judged(
    rig,
    [when('ALLOW', 'connection.sni', { values: ['80.reviews.bookinfo'] })],
    [
      [{}, 200],
      [{ host: `${HOST}:82` }, 403],
    ],
  );
});

behaviour('AZ-050', 'rules.when.key: request.headers', 'a header whole, by its beginning and by its end, in its own case', async (rig) => {
  await judged(
    rig,
    [when('ALLOW', 'request.headers[X-Tier]', { values: ['gold', 'sil*', '*ze'] })],
    [
      [tier('gold'), 200],
      [tier('silver'), 200],
      [tier('bronze'), 200],
      [tier('Gold'), 403],
      [tier('golden'), 403],
      [{}, 403],
    ],
  );
});

behaviour('AZ-051', 'rules.when.key: request.headers', 'a star alone: the header is there, and not empty', async (rig) => {
  await judged(
    rig,
    [when('ALLOW', 'request.headers[x-tier]', { values: ['*'] })],
    [
      [tier('any'), 200],
      [tier(''), 403],
      [{}, 403],
    ],
  );
});

behaviour('AZ-052', 'rules.when.notValues', 'every other value, or none', async (rig) => {
  await judged(
    rig,
    [when('ALLOW', 'request.headers[x-tier]', { notValues: ['tin'] })],
    [
      [tier('gold'), 200],
      [{}, 200],
      [tier('tin'), 403],
    ],
  );
  await judged(
    rig,
    [when('DENY', 'request.headers[x-tier]', { notValues: ['gold'] })],
    [
      [tier('gold'), 200],
      [{}, 403],
      [tier('tin'), 403],
    ],
  );
});

behaviour('AZ-053', 'rules.when.values', 'a header that comes twice does not get anybody in by one of its values', async (rig) => {
  for (const policy of [
    when('ALLOW', 'request.headers[x-tier]', { values: ['gold'] }),
    when('DENY', 'request.headers[x-tier]', { notValues: ['gold'] }),
  ])
    await judged(
      rig,
      [policy],
      [
        [tier('gold'), 200],
        [tier(['gold', 'tin']), 403],
        [tier(['tin', 'gold']), 403],
        [tier('gold,tin'), 403],
        [tier(['gold', 'gold']), 200],
      ],
    );
  for (const value of ['gol*', '*old'])
    await judged(
      rig,
      [when('ALLOW', 'request.headers[x-tier]', { values: [value] })],
      [
        [tier('gold'), 200],
        [tier(['gold', 'tin']), 403],
        [tier(['tin', 'gold']), 403],
      ],
    );
});

behaviour('AZ-054', 'rules.when.values', 'a header that comes twice, or as a list, is refused by any of its values', async (rig) => {
  for (const policy of [
    when('DENY', 'request.headers[x-tier]', { values: ['tin'] }),
    when('ALLOW', 'request.headers[x-tier]', { notValues: ['tin'] }),
  ])
    await judged(
      rig,
      [policy],
      [
        [tier('gold'), 200],
        [tier(['gold', 'tin']), 403],
        [tier(['tin', 'gold']), 403],
        [tier('gold,tin'), 403],
        [tier('gold, tin , iron'), 403],
        [tier('gold,tinned'), 200],
      ],
    );
});

behaviour('AZ-055', 'rules.to', 'any of the operations is enough; of one operation all fields must hold', async (rig) => {
  const to = [{ operation: { methods: ['GET'], paths: ['/a'] } }, { operation: { methods: ['POST'] } }];
  await judged(
    rig,
    [only('ALLOW', { to })],
    [
      [{ path: '/a' }, 200],
      [{ path: '/b' }, 403],
      [{ path: '/b', method: 'POST' }, 200],
    ],
  );
});

behaviour('AZ-056', 'rules.when', 'all of the conditions must hold, and from and to with them', async (rig) => {
  const from = [{ source: { serviceAccounts: ['productpage'] } }];
  const to = [{ operation: { paths: ['/a'] } }];
  const both = ['x-one', 'x-two'].map((name) => ({ key: `request.headers[${name}]`, values: ['1'] }));
  const headers = { 'x-one': '1', 'x-two': '1' };
  await judged(
    rig,
    [only('ALLOW', { from, to, when: both })],
    [
      [{ path: '/a', headers }, 200],
      [{ path: '/b', headers }, 403],
      [{ path: '/a', headers: { 'x-one': '1' } }, 403],
    ],
  );
  await judged(
    rig,
    [only('ALLOW', { from: [{ source: { serviceAccounts: ['nobody'] } }], to, when: both })],
    [[{ path: '/a', headers }, 403]],
  );
});

behaviour('AZ-057', 'rules.to.operation.paths', 'a method of gRPC is a path', async (rig) => {
  const grpc = (path: string): RigCall => ({
    host: `${HOST}:82`,
    http2: true,
    method: 'POST',
    path,
    headers: { 'content-type': 'application/grpc' },
  });
  await judged(
    rig,
    [allow({ paths: ['/book.Reviews/Get'], methods: ['POST'] })],
    [
      [grpc('/book.Reviews/Get'), 200],
      [{ path: '/book.Reviews/Get' }, 403],
    ],
  );
  const refused = await rig.call(grpc('/book.Reviews/Put'));
  expect([refused.servedBy, refused.headers['grpc-status']]).toEqual(['', '7']);
});
