/** PeerAuthentication: what is refused when written, and what is not. */
import { describe, expect, it } from 'vitest';
import { kindNamed } from '../../kinds.ts';
import { validateResource } from '../../validate.ts';

const selector = { matchLabels: { app: 'reviews' } };

function problems(spec: object, apiVersion = 'security.istio.io/v1'): string[] {
  const kind = kindNamed('pa');
  if (kind === undefined) throw new Error('no kind');
  const result = validateResource({ apiVersion, kind: 'PeerAuthentication', metadata: { namespace: 'bookinfo', name: 'one' }, spec }, kind);
  return 'issues' in result ? result.issues.map(({ path, message }) => `${path} ${message}`) : [];
}

describe('a PeerAuthentication', () => {
  it.each(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'])('may be %s, for a namespace, a workload and a port, in either version', (mode) => {
    expect(problems({ mtls: { mode } }, 'security.istio.io/v1beta1')).toEqual([]);
    expect(problems({ selector, mtls: { mode }, portLevelMtls: { '9080': { mode } } })).toEqual([]);
  });

  it.each([
    [{ mtls: { mode: 'strict' } }, 'spec.mtls.mode'],
    [{ mtls: { mode: 'STRICT' }, portLevelMtls: { '80': { mode: 'STRICT' } } }, 'needs a selector with labels'],
    [{ selector: { matchLabels: {} }, portLevelMtls: { '80': { mode: 'STRICT' } } }, 'needs a selector with labels'],
    [{ selector, portLevelMtls: { http: { mode: 'STRICT' } } }, 'from 1 to 65535'],
    [{ selector, portLevelMtls: { '65536': { mode: 'STRICT' } } }, 'from 1 to 65535'],
    [{ selector, portLevelMtls: { '15006': { mode: 'DISABLE' } } }, "is the sidecar's own"],
    [{ selector: { matchLabels: { app: 'a b' } } }, 'is not a label'],
    [{ mtls: { mode: 'STRICT', certificate: 'a' } }, 'certificate'],
  ])('is refused when it is %j', (spec, reason) => {
    expect(problems(spec).join()).toContain(reason);
  });
});
