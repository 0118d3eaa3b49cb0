/** DNS and capture: unmodified programs in network namespaces call the mesh by name, through `hawser proxy run --capture`. */
import type { VirtualServiceSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { ipv6Twin } from '@hawser/model/virtual-ipv6.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Mesh } from '../datapath/kit/mesh.ts';
import { until } from '../datapath/kit/until.ts';
import { available } from '../kit/requirements.ts';
import {
  type CapturedWorkloads,
  curlIn,
  HOST,
  hawser,
  MESH_HOST,
  PORTS,
  RESOLV_CONF,
  startCapturedWorkloads,
  TARGETS,
  WEST_SERVERS,
} from './kit/captured-workloads.ts';
import { callHttp } from './kit/clients.ts';
import type { Namespace, Ran } from './kit/namespaces.ts';
import { resolvedIn } from './kit/outside.ts';
import { policy } from './kit/rig.ts';

const SUBSETS = policy('DestinationRule', {
  host: 'reviews',
  subsets: ['v1', 'v2'].map((version) => ({ name: version, labels: { version } })),
});
const TO_SECOND = { destination: { host: 'reviews', subset: 'v2' } };

function connectionRules(spec: Pick<VirtualServiceSpec, 'tcp' | 'tls'>): Resource {
  return policy('VirtualService', { hosts: ['reviews'], ...spec });
}

/** In the order of this file: the last ones take the agent away. */
function behaviour(id: string, field: string, seen: string, show: () => Promise<void>): void {
  test(`${id} ${field}: ${seen}`, show);
}

describe.skipIf(!available('root') || !available('iptables'))('captured workloads', () => {
  let all: CapturedWorkloads;
  let mesh: Mesh;
  let client: Namespace;
  let server: Namespace;

  const curl = (url: string, ...more: readonly string[]): Promise<Ran> => curlIn(client, url, ...more);
  /** A plain TCP client: the shell's own. */
  const tcp = (host: string, port: number, line: string): Promise<Ran> =>
    client.run(['bash', '-c', `exec 3<>/dev/tcp/${host}/${port} && echo ${line} >&3 && head -n 2 <&3`]);

  /** A plain TLS client. */
  const tls = async (): Promise<string> => {
    const openssl = `openssl s_client -connect ${MESH_HOST}:443 -servername ${MESH_HOST}`;
    const said = '{ echo hello; for i in $(seq 200); do grep -q "^hello" $f && break; sleep 0.05; done; }';
    return (await client.run(['bash', '-c', `f=$(mktemp); ${said} | ${openssl} >$f 2>&1; cat $f; rm $f`])).out;
  };

  beforeAll(async () => {
    all = await startCapturedWorkloads();
    ({ mesh, client, server } = all);
  }, 120_000);
  afterAll(() => all?.stop());

  behaviour('DNS-001', 'svc.clusterset.local', 'curl calls a service of another cluster by its name, through a gateway', async () => {
    const { out } = await curl('http://reviews.bookinfo.svc.clusterset.local/');
    expect(JSON.parse(out)).toMatchObject({ headers: { host: 'reviews.bookinfo.svc.clusterset.local' } });
  });

  behaviour('DNS-002', 'virtual address', 'a name has one address of the range, the same every time', async () => {
    const resolve = async (): Promise<string> => (await client.run(['getent', 'ahostsv4', 'reviews.bookinfo.svc.clusterset.local'])).out;
    expect(await resolve()).toMatch(/^240\.247\.204\.181 /);
    expect(await resolve()).toBe(await resolve());
  });

  behaviour('DNS-003', 'TCP by name', 'a plain TCP client reaches a TCP service of another cluster by its name', async () => {
    expect((await tcp('reviews.bookinfo.svc.clusterset.local', 5000, 'hello')).out).toMatch(/^west-2[12]\nhello\n$/);
  });

  behaviour('DNS-004', 'TLS passthrough', 'TLS reaches the application whole, certificate and all', async () => {
    const out = await tls();
    expect(out).toMatch(/west-2[12]/);
    expect(out).toMatch(/issuer=CN ?= ?echo|CN ?= ?forged/);
  });

  behaviour('DNS-005', 'auto', 'a port of which nobody says what it speaks takes HTTP from curl', async () => {
    expect(JSON.parse((await curl('http://reviews.bookinfo.svc.clusterset.local:7000/auto')).out)).toMatchObject({ path: '/auto' });
  });

  behaviour('DNS-006', 'auto', 'and bytes from those who speak something else, even when its server speaks first', async () => {
    expect((await tcp('reviews.bookinfo.svc.clusterset.local', 7001, 'hello')).out).toMatch(/^west-2[12]\nhello\n$/);
  });

  behaviour(
    'DNS-007',
    'svc.cluster.local',
    'the own cluster’s service is found by its cluster-local name and by the search list',
    async () => {
      expect((await curl('http://local.bookinfo.svc.cluster.local/')).out).toBe('local\n');
      expect((await curl('http://local.bookinfo/')).out).toBe('local\n');
    },
  );

  behaviour('DNS-008', 'NXDOMAIN', 'a name that the mesh does not have does not exist, at once', async () => {
    const { code, out } = await curl('http://nobody.bookinfo.svc.clusterset.local/');
    expect(code).toBe(6);
    expect(out).toContain('Could not resolve host');
  });

  behaviour(
    'DNS-009',
    'outboundTrafficPolicy ALLOW_ANY',
    'what is not of the mesh is resolved by the machine and reached as it is',
    async () => {
      expect((await curl('http://outside.test:8080/')).out).toBe('outside outside.test:8080\n');
      expect((await curl('https://outside.test:8443/', '-k')).out).toBe('outside outside.test:8443\n');
      expect((await client.run(['bash', '-c', 'exec 3<>/dev/tcp/outside.test/2525 && head -n 1 <&3'])).out).toBe('greetings\n');
    },
  );

  behaviour('DNS-010', 'Host', 'HTTP is routed by its Host wherever it was going', async () => {
    const { out } = await curl(`http://${HOST}:80/`, '-H', 'host: reviews.bookinfo.svc.clusterset.local');
    expect(JSON.parse(out)).toMatchObject({ servedBy: expect.stringMatching(/^west-/) });
  });

  behaviour(
    'DNS-011',
    'inbound capture',
    'a caller outside the mesh reaches a captured application as before, and its sidecar counts it',
    async () => {
      const before = await passedThrough();
      expect(await (await fetch(`http://${server.address}:9080/`)).text()).toBe('local\n');
      await until(
        async () => (await passedThrough()) > before,
        () => 'the sidecar saw no connection',
      );
      expect((await fetch(`http://${server.address}:15006/`).catch((error: Error) => error)) instanceof Error).toBe(true);
    },
  );

  behaviour('DNS-012', 'hawser proxy capture', 'installing twice is installing once, and removing leaves nothing behind', async () => {
    const spare = await all.network.namespace('x', '10.78.1.13', RESOLV_CONF);
    const saved = async (): Promise<string> => {
      const both = ['iptables-save', 'ip6tables-save'].map((program) => spare.run([program], 'root'));
      return (await Promise.all(both)).map(({ out }) => out.replace(/^#.*$/gm, '').replace(/\[\d+:\d+\]/g, '')).join('\n');
    };
    await spare.run(['iptables', '-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '--dport', '9999', '-j', 'RETURN'], 'root');
    await spare.run(['ip6tables', '-t', 'nat', '-L'], 'root');
    const capture = async (...flags: readonly string[]): Promise<void> =>
      expect(await spare.run(hawser('proxy', 'capture', ...flags), 'root')).toMatchObject({ code: 0 });
    await capture('--install', '--exclude-outbound-ports', '22');
    const once = await saved();
    await capture('--install', '--exclude-outbound-ports', '22');
    expect(await saved()).toBe(once);
    await capture('--install', '--no-dns');
    expect(await saved()).not.toMatch(/--dport 22|15053|CT --zone/);
    await capture('--remove');
    await capture('--remove');
    expect(await saved()).not.toContain('HAWSER');
    expect(await saved()).toContain('--dport 9999');
  });

  behaviour('DNS-014', 'VirtualService tcp', 'a rule for TCP connections leads those of a captured program to its subset', async () => {
    mesh.replacePolicies([SUBSETS, connectionRules({ tcp: [{ match: [{ port: 5000 }], route: [TO_SECOND] }] })]);
    await onlySecond(async () => (await tcp(MESH_HOST, 5000, 'hello')).out);
  });

  behaviour('DNS-015', 'VirtualService tls', 'a rule for server names leads the TLS of a captured program to its subset', async () => {
    mesh.replacePolicies([SUBSETS, connectionRules({ tls: [{ match: [{ port: 443, sniHosts: [MESH_HOST] }], route: [TO_SECOND] }] })]);
    await onlySecond(tls);
    mesh.clearPolicies();
    await until(
      async () => (await tcp(MESH_HOST, 5000, 'hello')).out.startsWith('west-21'),
      () => 'the first server is never called again',
    );
  });

  /** Both servers answer in turn where no rule says otherwise: six answers of one are by the rule. */
  async function onlySecond(call: () => Promise<string>): Promise<void> {
    let answers: string[] = [];
    await until(
      async () => {
        answers = await Promise.all(Array.from({ length: 6 }, call));
        return answers.every((answer) => answer.includes('west-22'));
      },
      () => `others answer: ${answers.join()} ${mesh.nacks.join()}`,
    );
  }

  behaviour(
    'DNS-016',
    'Sidecar.ingress.captureMode',
    'IPTABLES takes what was going to a port, from outside of the mesh too, to the application that the Sidecar names',
    async () => {
      const port = { number: 9080, protocol: 'HTTP', name: 'http' };
      const ingress = [{ port, captureMode: 'IPTABLES', defaultEndpoint: `${server.address}:9081` }];
      server.start([process.execPath, '-e', `require('http').createServer((q, r) => r.end('other\\n')).listen(9081, '${server.address}')`]);
      mesh.replacePolicies([policy('Sidecar', { workloadSelector: { labels: { app: 'local' } }, ingress })]);
      // A connection of its own each time: one that is open goes on as it began.
      const fromOutside = async (): Promise<string> => (await callHttp({ address: server.address, port: 9080 }, { host: 'local' })).body;
      await until(
        async () => (await fromOutside()) === 'other\n',
        () => `the application that the Sidecar names is not called ${mesh.nacks.join()}`,
      );
      expect((await curl('http://local.bookinfo.svc.cluster.local/')).out).toBe('other\n');
      mesh.clearPolicies();
      await until(
        async () => (await fromOutside()) === 'local\n',
        () => `the application itself is not called ${mesh.nacks.join()}`,
      );
    },
  );

  behaviour('DNS-017', 'bare name', 'a service of the own namespace is called by its bare name', async () => {
    expect((await curl('http://local/')).out).toBe('local\n');
    expect((await curl('http://nobody/')).code).toBe(6);
  });

  behaviour(
    'DNS-018',
    'Sidecar.egress.captureMode',
    'what was going to the address of a listener with IPTABLES is taken by it; what has NONE is called explicitly alone',
    async () => {
      const port = (number: number): object => ({ number, protocol: 'HTTP', name: 'http' });
      const hosts = ['./local.bookinfo.svc.cluster.local'];
      const explicit = { port: port(9200), captureMode: 'NONE', hosts };
      mesh.replacePolicies([
        policy('Sidecar', { egress: [explicit, { port: port(9100), bind: '10.78.9.9', captureMode: 'IPTABLES', hosts }] }),
      ]);
      const asked = async (url: string): Promise<string> => (await curl(url, '-H', 'host: local.bookinfo')).out;
      const wanted = async (): Promise<boolean> =>
        (await asked('http://10.78.9.9:9100/')) === 'local\n' && (await asked('http://127.0.0.1:9200/')) === 'local\n';
      await until(wanted, () => `the listeners do not answer ${mesh.nacks.join()}`);
      expect(await asked(`http://${HOST}:80/`)).not.toBe('local\n');
      mesh.clearPolicies();
      await until(
        async () => (await asked(`http://${HOST}:80/`)) === 'local\n' && (await curl(`http://${MESH_HOST}/`)).out.includes('west-'),
        () => 'what was hidden does not come back',
      );
    },
  );

  behaviour(
    'DNS-019',
    'Service.clusterIP None',
    'a headless service is its endpoints by DNS, each by its name too; by HTTP it is called as any other',
    async () => {
      const common = {
        ports: [
          { name: 'http', port: 80, protocol: 'http' as const },
          { name: 'tcp', port: 5000, protocol: 'tcp' as const },
        ],
        export: { type: 'Headless' as const, ports: [{ name: 'http', protocol: 'TCP' as const, port: 80 }] },
      };
      const own = { address: server.address, hostname: 'pod-0', targetPorts: { '80': 9080, '5000': 9090 }, serviceAccount: 'local' };
      mesh.service('bookinfo/pods', 'east', { ...common, endpoints: [own] });
      const far = { address: WEST_SERVERS[0], targetPorts: TARGETS, serviceAccount: 'reviews' };
      mesh.service('bookinfo/pods', 'west', { ...common, endpoints: [far] });
      const host = 'pods.bookinfo.svc.clusterset.local';
      let said = '';
      await until(
        async () => {
          said = await resolvedIn(
            client,
            `d.resolve4('${host}')`,
            `d.resolve4('pod-0.east.${host}')`,
            `d.resolveSrv('_http._tcp.${host}')`,
          );
          return said.includes('"240.');
        },
        () => `the service has not its addresses: ${said} ${mesh.nacks.join()}`,
      );
      const [addresses, endpoint, places] = JSON.parse(said) as [string[], string[], unknown[]];
      expect(addresses.sort()).toEqual([server.address, expect.stringMatching(/^240\./)]);
      expect(endpoint).toEqual([server.address]);
      expect(places).toMatchObject([{ name: `pod-0.east.${host}`, port: 9080, priority: 0, weight: 10 }]);
      expect((await curl(`http://${host}/`)).out).toBe('local\n');
    },
  );

  behaviour(
    'DNS-021',
    'Service.clusterIP None',
    'a TCP connection to an endpoint’s own address goes to it by mTLS, at the service’s port and at the endpoint’s; HTTP to its name goes in plain',
    async () => {
      const answer = `s.on('error', () => s.destroy()).on('data', (d) => s.end('pod-0\\n' + d))`;
      server.start([process.execPath, '-e', `require('net').createServer((s) => ${answer}).listen(9090, '${server.address}')`]);
      const pod = 'pod-0.east.pods.bookinfo.svc.clusterset.local';
      const inPlain = await passedThrough();
      for (const port of [9090, 5000]) {
        await until(
          async () => (await tcp(pod, port, 'hello')).out === 'pod-0\nhello\n',
          () => `the endpoint does not answer at ${port} ${mesh.nacks.join()}`,
        );
      }
      expect(await passedThrough()).toBe(inPlain);
      expect((await curl(`http://${pod}:9080/`)).out).toBe('local\n');
      expect(await passedThrough()).toBe(inPlain + 1);
    },
  );

  behaviour(
    'DNS-020',
    'SRV and TXT',
    'programs hear where a port is by its name, and which version of multicluster DNS they ask',
    async () => {
      const said = await resolvedIn(client, `d.resolveSrv('_tcp._tcp.${MESH_HOST}')`, "d.resolveTxt('dns-version.clusterset.local')");
      expect(JSON.parse(said)).toMatchObject([[{ name: MESH_HOST, port: 5000, priority: 0, weight: 10 }], [['1.0.0']]]);
    },
  );

  behaviour(
    'DNS-022',
    'Service.ipFamilies',
    'a dual-stack service has an address of IPv6 too for a workload that can call it, and HTTP and TCP to it reach the service',
    async () => {
      const host = 'dual.bookinfo.svc.clusterset.local';
      const ports = PORTS.slice(0, 2);
      mesh.service('bookinfo/dual', 'west', {
        ports,
        export: {
          type: 'ClusterSetIP',
          ports: ports.map(({ name, port }) => ({ ...(name === undefined ? {} : { name }), protocol: 'TCP', port })),
          ipFamilies: ['IPv4', 'IPv6'],
        },
        endpoints: [{ address: WEST_SERVERS[0], targetPorts: TARGETS, serviceAccount: 'reviews' }],
      });
      const found = (): Promise<string> => resolvedIn(client, `d.resolve4('${host}')`, `d.resolve6('${host}').catch((e) => e.code)`);
      let said = '';
      await until(
        async () => {
          said = await found();
          return said.includes('"240.');
        },
        () => `the service has no address: ${said} ${mesh.nacks.join()}`,
      );
      const [[ipv4 = ''], none] = JSON.parse(said) as [string[], string];
      expect(none).toBe('ENODATA');
      await client.run(['ip', 'addr', 'add', 'fd78::11/64', 'dev', 'eth0', 'nodad'], 'root');
      await client.run(['ip', '-6', 'route', 'add', 'default', 'dev', 'eth0'], 'root');
      await expect.poll(found, { timeout: 10_000 }).toBe(JSON.stringify([[ipv4], [ipv6Twin(ipv4)]]));
      expect(JSON.parse((await curl(`http://${host}/`, '-6')).out)).toMatchObject({ headers: { host } });
      expect((await tcp(ipv6Twin(ipv4), 5000, 'hello')).out).toBe('west-21\nhello\n');
    },
  );

  behaviour('DNS-013', 'agent down', 'names and calls go on without the agent', async () => {
    await mesh.stopAgent('east');
    expect((await curl('http://reviews.bookinfo.svc.clusterset.local/')).out).toContain('west-');
    expect((await tcp('reviews.bookinfo.svc.clusterset.local', 5000, 'again')).out).toContain('again');
    expect((await curl('http://outside.test:8080/')).out).toContain('outside');
  });

  async function passedThrough(): Promise<number> {
    const { out } = await server.run(
      ['curl', '-sS', `http://${server.address}:15000/stats?filter=tcp.inbound_passthrough.downstream_cx_total`],
      'root',
    );
    return Number(out.split(': ')[1] ?? 0);
  }
});
