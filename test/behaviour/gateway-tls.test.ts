/** Gateway: TLS at the edge, with certificates from Secrets, from files, and of the mesh. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { Identity } from '../datapath/kit/pki.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { credential, type Edge, eventually, gateway, httpsServer, problemsIn, site, startEdge } from './kit/edge.ts';
import { handshake } from './kit/outside-client.ts';
import type { Rig } from './kit/rig.ts';
import { type Authority, createAuthority, hashOf, spkiOf } from './kit/site-certificates.ts';

const NET = 72;
const GATEWAY = 'ingress/site';
const HOST = 'a.example.com';

let edge: Edge;
let authority: Authority;
let clients: Authority;
let server: Identity;
let alice: Identity;
let mallory: Identity;
const folder = mkdtempSync(join(tmpdir(), 'hawser-edge-'));

const behaviour = behavioursOf({ net: NET }, async (rig) => {
  edge = await startEdge(rig, { address: `127.81.${NET}.5`, name: 'site' });
  [authority, clients] = [await createAuthority('sites'), await createAuthority('clients')];
  server = await authority.issue([HOST, '*.example.com']);
  alice = await clients.issue(['alice.example.org', 'spiffe://partner/alice']);
  mallory = await (await createAuthority('others')).issue(['mallory.example.org']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** One HTTPS server with these TLS settings, and these Secrets. */
async function serve(rig: Rig, tls: object, secrets: readonly ReturnType<typeof credential>[] = [site1()]): Promise<void> {
  rig.mesh.credentials('east', secrets);
  await rig.policies([gateway('site', [httpsServer(['*.example.com'], tls)]), site([HOST], [GATEWAY])]);
}

function site1(): ReturnType<typeof credential> {
  return credential('site', server, { authorities: clients.certificate });
}

const PLAIN_CLIENT = { host: HOST, tls: {} };
const withCertificate = ({ certificate, key }: Identity) => ({ host: HOST, tls: { cert: certificate, key } });

behaviour(
  'GW-030',
  'servers.tls.mode SIMPLE',
  'the server proves its name by the Secret, and the client none; HTTP/1.1 and HTTP/2 by ALPN',
  async (rig) => {
    await serve(rig, { mode: 'SIMPLE', credentialName: 'site' });
    const verified = { host: HOST, tls: { ca: authority.certificate, rejectUnauthorized: true } };
    const reply = await edge.expectCall(8443, verified, { status: 200 });
    expect(reply.servedBy).toMatch(/^reviews/);
    expect(reply.version).toBe('TLSv1.3');
    expect(reply.got?.headers['x-forwarded-proto']).toBe('https');
    expect((await edge.call(8443, { ...verified, http2: true })).status).toBe(200);
  },
);

behaviour(
  'GW-031',
  'servers.hosts (SNI)',
  'several servers on a port are told apart by server name, each with its certificate; others are refused',
  async (rig) => {
    const other = await authority.issue(['b.example.com']);
    rig.mesh.credentials('east', [credential('site', server), credential('other', other)]);
    await rig.policies([
      gateway('site', [httpsServer([HOST], { mode: 'SIMPLE', credentialName: 'site' })], { name: 'one' }),
      gateway('site', [httpsServer(['b.example.com'], { mode: 'SIMPLE', credentialName: 'other' })], { name: 'two' }),
      site([HOST, 'b.example.com'], ['ingress/one', 'ingress/two']),
    ]);
    const b = await edge.expectCall(8443, { host: 'b.example.com', tls: {} }, { status: 200 });
    expect(b.certificate?.names).toBe('DNS:b.example.com');
    expect((await edge.call(8443, PLAIN_CLIENT)).certificate?.names).toContain(`DNS:${HOST}`);
    expect((await edge.call(8443, { host: 'c.example.com', tls: {} })).status).toBe(0);
  },
);

behaviour('GW-032', 'servers.tls.mode MUTUAL', 'a client without a certificate of the Secret’s authorities is refused', async (rig) => {
  await serve(rig, { mode: 'MUTUAL', credentialName: 'site' });
  await edge.expectCall(8443, withCertificate(alice), { status: 200 });
  expect((await edge.call(8443, withCertificate(mallory))).status).toBe(0);
  expect((await edge.call(8443, PLAIN_CLIENT)).status).toBe(0);
});

behaviour(
  'GW-033',
  'servers.tls.mode OPTIONAL_MUTUAL',
  'a client may come without a certificate, but not with a wrong one',
  async (rig) => {
    await serve(rig, { mode: 'OPTIONAL_MUTUAL', credentialName: 'site' });
    await edge.expectCall(8443, PLAIN_CLIENT, { status: 200 });
    expect((await edge.call(8443, withCertificate(alice))).status).toBe(200);
    expect((await edge.call(8443, withCertificate(mallory))).status).toBe(0);
  },
);

behaviour('GW-034', 'servers.tls.subjectAltNames', 'of the authorities’ clients those of a name are taken', async (rig) => {
  const bob = await clients.issue(['bob.example.org']);
  await serve(rig, { mode: 'MUTUAL', credentialName: 'site', subjectAltNames: ['spiffe://partner/alice'] });
  await edge.expectCall(8443, withCertificate(alice), { status: 200 });
  expect((await edge.call(8443, withCertificate(bob))).status).toBe(0);
});

behaviour('GW-035', 'servers.tls.verifyCertificateSpki', 'clients are taken by the hash of their key', async (rig) => {
  const bob = await clients.issue(['bob.example.org']);
  await serve(rig, { mode: 'MUTUAL', credentialName: 'site', verifyCertificateSpki: [spkiOf(alice)] });
  await edge.expectCall(8443, withCertificate(alice), { status: 200 });
  expect((await edge.call(8443, withCertificate(bob))).status).toBe(0);
});

behaviour('GW-036', 'servers.tls.verifyCertificateHash', 'clients are taken by the hash of their certificate', async (rig) => {
  const bob = await clients.issue(['bob.example.org']);
  await serve(rig, { mode: 'MUTUAL', credentialName: 'site', verifyCertificateHash: [hashOf(alice)] });
  await edge.expectCall(8443, withCertificate(alice), { status: 200 });
  expect((await edge.call(8443, withCertificate(bob))).status).toBe(0);
});

behaviour('GW-037', 'servers.tls.minProtocolVersion', 'a client that speaks less than the least version is refused', async (rig) => {
  await serve(rig, { mode: 'SIMPLE', credentialName: 'site', minProtocolVersion: 'TLSV1_3' });
  await edge.expectCall(8443, PLAIN_CLIENT, { status: 200, version: 'TLSv1.3' });
  expect((await edge.call(8443, { host: HOST, tls: { maxVersion: 'TLSv1.2' } })).status).toBe(0);
});

behaviour('GW-038', 'servers.tls.maxProtocolVersion', 'no newer version than that is spoken', async (rig) => {
  await serve(rig, { mode: 'SIMPLE', credentialName: 'site', maxProtocolVersion: 'TLSV1_2' });
  await edge.expectCall(8443, PLAIN_CLIENT, { status: 200, version: 'TLSv1.2' });
});

behaviour('GW-039', 'servers.tls.cipherSuites', 'only the suites that are named are taken, unknown ones are told', async (rig) => {
  const [suite, unknown] = ['ECDHE-ECDSA-AES256-GCM-SHA384', 'NO-SUCH-SUITE'];
  await serve(rig, { mode: 'SIMPLE', credentialName: 'site', maxProtocolVersion: 'TLSV1_2', cipherSuites: [suite, unknown] });
  await edge.expectCall(8443, PLAIN_CLIENT, { status: 200, cipher: suite });
  expect((await edge.call(8443, { host: HOST, tls: { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } })).status).toBe(0);
  expect(problemsIn(rig).map(({ field }) => field)).toEqual(['spec.servers[0].tls.cipherSuites[1]']);
});

behaviour('GW-040', 'servers.tls.credentialNames', 'of two certificates a client is given the one whose kind it takes', async (rig) => {
  const rsa = await authority.issue([HOST], 'rsa');
  await serve(rig, { mode: 'SIMPLE', credentialNames: ['site', 'site-rsa'] }, [site1(), credential('site-rsa', rsa)]);
  const asking = (sigalgs: string) => ({ host: HOST, tls: { sigalgs } });
  const reply = await edge.expectCall(8443, asking('rsa_pss_rsae_sha256'), { status: 200 });
  expect(reply.certificate?.type).toBe('rsa');
  expect((await edge.call(8443, asking('ecdsa_secp256r1_sha256'))).certificate?.type).toBe('ecdsa');
});

behaviour('GW-041', 'servers.tls.caCertCredentialName', 'clients are checked by a Secret of its own', async (rig) => {
  const others = await createAuthority('more');
  const bob = await others.issue(['bob.example.org']);
  const secrets = [site1(), credential('partners', undefined, { authorities: others.certificate })];
  await serve(rig, { mode: 'MUTUAL', credentialName: 'site', caCertCredentialName: 'partners' }, secrets);
  await edge.expectCall(8443, withCertificate(bob), { status: 200 });
  expect((await edge.call(8443, withCertificate(alice))).status).toBe(0);
});

behaviour(
  'GW-042',
  'servers.tls.credentialName (NAME-cacert)',
  'authorities of Istio’s second Secret go before those of the first',
  async (rig) => {
    const others = await createAuthority('more');
    const secrets = [site1(), credential('site-cacert', undefined, { authorities: others.certificate })];
    await serve(rig, { mode: 'MUTUAL', credentialName: 'site' }, secrets);
    await edge.expectCall(8443, withCertificate(await others.issue(['bob.example.org'])), { status: 200 });
    expect((await edge.call(8443, withCertificate(alice))).status).toBe(0);
  },
);

behaviour('GW-043', 'servers.tls.credentialName (ca.crl)', 'a client whose certificate the Secret revokes is refused', async (rig) => {
  const bob = await clients.issue(['bob.example.org']);
  const revoked = await clients.revoke([bob]);
  await serve(rig, { mode: 'MUTUAL', credentialName: 'site' }, [credential('site', server, { authorities: clients.certificate, revoked })]);
  await edge.expectCall(8443, withCertificate(alice), { status: 200 });
  expect((await edge.call(8443, withCertificate(bob))).status).toBe(0);
});

/** Writes a file as an operator replaces one: by renaming. */
function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}

behaviour('GW-044', 'servers.tls.serverCertificate, privateKey', 'certificate and key are files of the proxy', async (rig) => {
  const files = { serverCertificate: write('a.crt', server.certificate), privateKey: write('a.key', server.key) };
  await serve(rig, { mode: 'SIMPLE', ...files }, []);
  const reply = await edge.expectCall(8443, PLAIN_CLIENT, { status: 200 });
  expect(reply.certificate?.names).toContain(HOST);
});

behaviour('GW-045', 'servers.tls.caCertificates, caCrl', 'authorities and revocations are files of the proxy', async (rig) => {
  const bob = await clients.issue(['bob.example.org']);
  const own = { serverCertificate: write('a.crt', server.certificate), privateKey: write('a.key', server.key) };
  const theirs = { caCertificates: write('ca.crt', clients.certificate), caCrl: write('ca.crl', await clients.revoke([bob])) };
  await serve(rig, { mode: 'MUTUAL', ...own, ...theirs }, []);
  await edge.expectCall(8443, withCertificate(alice), { status: 200 });
  expect((await edge.call(8443, withCertificate(bob))).status).toBe(0);
  expect((await edge.call(8443, withCertificate(mallory))).status).toBe(0);
});

behaviour('GW-046', 'servers.tls.tlsCertificates', 'several pairs of files, of which a client is given the kind it takes', async (rig) => {
  const rsa = await authority.issue([HOST], 'rsa');
  const pair = (name: string, { certificate, key }: Identity): object => ({
    serverCertificate: write(`${name}.crt`, certificate),
    privateKey: write(`${name}.key`, key),
    caCertificates: write('ca.crt', clients.certificate),
  });
  await serve(rig, { mode: 'MUTUAL', tlsCertificates: [pair('e', server), pair('r', rsa)] }, []);
  const call = { host: HOST, tls: { ...withCertificate(alice).tls, sigalgs: 'rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256' } };
  await edge.expectCall(8443, call, { status: 200 });
  const session = await handshake(
    { address: edge.address, port: 8443 },
    { servername: HOST, ...call.tls, sigalgs: 'rsa_pss_rsae_sha256' },
  ).catch(() => undefined);
  // Alice signs by ECDSA, which this client does not offer: what counts is what the server presented.
  session?.destroy();
  expect((await edge.call(8443, withCertificate(mallory))).status).toBe(0);
});

behaviour('GW-047', 'servers.tls.mode ISTIO_MUTUAL', 'server and client prove themselves by identities of the mesh', async (rig) => {
  const domain = rig.mesh.domain('east');
  const member = await domain.issue('spiffe://east.hawser/ns/bookinfo/sa/productpage');
  await serve(rig, { mode: 'ISTIO_MUTUAL' }, []);
  const reply = await edge.expectCall(8443, withCertificate(member), { status: 200 });
  expect(reply.certificate?.names).toBe('URI:spiffe://east.hawser/ns/ingress/sa/site');
  expect((await edge.call(8443, withCertificate(alice))).status).toBe(0);
  await serve(rig, { mode: 'ISTIO_MUTUAL', subjectAltNames: ['spiffe://east.hawser/ns/bookinfo/sa/ratings'] }, []);
  await edge.expectCall(8443, withCertificate(member), { status: 0 });
  const ratings = await domain.issue('spiffe://east.hawser/ns/bookinfo/sa/ratings');
  await edge.expectCall(8443, withCertificate(ratings), { status: 200 });
});

behaviour(
  'GW-048',
  'Secret (rotation)',
  'a replaced Secret is in use at once: no listener is touched, and no request is lost',
  async (rig) => {
    await serve(rig, { mode: 'SIMPLE', credentialName: 'site' });
    const before = await edge.expectCall(8443, PLAIN_CLIENT, { status: 200 });
    const updates = await edge.envoy.stat('listener_manager.lds.update_success');
    const answers: number[] = [];
    let ended = false;
    const load = (async () => {
      while (!ended) answers.push((await edge.call(8443, PLAIN_CLIENT)).status);
    })();
    for (let turn = 0; turn < 3; turn += 1) {
      const next = await authority.issue([HOST]);
      rig.mesh.credentials('east', [credential('site', next)]);
      await eventually(async () => {
        const { certificate } = await edge.call(8443, PLAIN_CLIENT);
        expect(certificate?.fingerprint.replaceAll(':', '').toLowerCase()).toBe(hashOf(next));
      });
    }
    ended = true;
    await load;
    expect(answers.filter((status) => status !== 200)).toEqual([]);
    expect(answers.length).toBeGreaterThan(3);
    expect(await edge.envoy.stat('listener_manager.lds.update_success')).toBe(updates);
    expect(before.certificate?.fingerprint.replaceAll(':', '').toLowerCase()).toBe(hashOf(server));
  },
);

behaviour(
  'GW-049',
  'Secret (missing)',
  'without its Secret a server answers nothing and is told, others go on; it answers once the Secret is there',
  async (rig) => {
    rig.mesh.credentials('east', [credential('site', server)]);
    await rig.policies([
      gateway('site', [
        httpsServer([HOST], { mode: 'SIMPLE', credentialName: 'site' }),
        httpsServer(['b.example.com'], { mode: 'SIMPLE', credentialName: 'late' }),
      ]),
      site([HOST, 'b.example.com'], [GATEWAY]),
    ]);
    await edge.expectCall(8443, PLAIN_CLIENT, { status: 200 });
    expect((await edge.call(8443, { host: 'b.example.com', tls: {} })).status).toBe(0);
    const told = { policy: 'Gateway/ingress/site', field: 'spec.servers[1].tls.credentialName' };
    expect(problemsIn(rig)).toEqual([{ ...told, message: expect.stringContaining('no Secret ingress/late in the registry') }]);
    rig.mesh.credentials('east', [credential('site', server), credential('late', undefined, { problem: 'data[tls.key] is missing' })]);
    expect(problemsIn(rig)).toEqual([{ ...told, message: expect.stringContaining('data[tls.key] is missing') }]);
    rig.mesh.credentials('east', [credential('site', server), credential('late', server)]);
    await edge.expectCall(8443, { host: 'b.example.com', tls: {} }, { status: 200 });
    expect(problemsIn(rig)).toEqual([]);
  },
);

behaviour(
  'GW-050',
  'Secret (namespace)',
  'a proxy is given Secrets of its own namespace, and those alone that a Gateway names',
  async (rig) => {
    const foreign = { ...credential('site', server), namespace: 'elsewhere' };
    await serve(rig, { mode: 'SIMPLE', credentialName: 'site' }, [foreign, credential('unnamed', server)]);
    expect(problemsIn(rig)).toEqual([expect.objectContaining({ message: expect.stringContaining('no Secret ingress/site') })]);
    const dump = await edge.envoy.admin('/config_dump?resource=dynamic_active_secrets');
    expect(dump).not.toMatch(/credential\|(elsewhere|ingress\/unnamed)/);
    expect((await edge.call(8443, PLAIN_CLIENT)).status).toBe(0);
  },
);
