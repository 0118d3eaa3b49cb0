/** Which role may do what: the one table. What is not in it is refused to everybody. */
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import type { Role } from '@hawser/wire/access.ts';

/** What one route needs. */
export interface Permission {
  /** The weakest role that may; undefined: no token is needed. */
  readonly role: Role | undefined;
  /** Word for the audit and for refusals: `create`, `list`, `join`. */
  readonly verb: string;
  /** Kind of what it is about: a resource kind, or a word of our own such as `Token`. */
  readonly kind: string;
  /**
   * What a token that is limited to namespaces meets: `path` is let through when the path names one of them, `open` always
   * (what it shows belongs to no namespace), `closed` never.
   */
  readonly limited: 'path' | 'open' | 'closed';
}

interface KindRoles {
  readonly read: Role;
  readonly write: Role;
  /** Consent to what another wants to do. */
  readonly approve: Role;
}

const POLICY: KindRoles = { read: 'viewer', write: 'operator', approve: 'approver' };
/** Whoever is bound by a rule does not loosen it: an operator names it and goes on, which is audited, and the rule stays. */
const RULES: KindRoles = { read: 'viewer', write: 'admin', approve: 'admin' };
const FREEZES: KindRoles = { read: 'viewer', write: 'approver', approve: 'approver' };
const MEMBERSHIP: KindRoles = { read: 'viewer', write: 'admin', approve: 'admin' };

/** Roles by resource kind: of policies, whatever kinds there are, and of what has roles of its own. */
export const KIND_ROLES: Readonly<Record<string, KindRoles>> = {
  ...Object.fromEntries(KINDS.filter(({ policy }) => policy).map(({ kind }) => [kind, POLICY])),
  Cluster: MEMBERSHIP,
  JoinToken: MEMBERSHIP,
  TrustDomain: MEMBERSHIP,
  Freeze: FREEZES,
  SafetyRule: RULES,
  Drill: POLICY,
  ServiceImport: POLICY,
};

type Access = keyof KindRoles;

/** Verbs of resource routes by method and the path's shape: the collection, one resource, or the part of one that is named. */
const RESOURCE_VERBS: Readonly<Record<string, readonly [verb: string, access: Access]>> = {
  'GET collection': ['list', 'read'],
  'POST collection': ['create', 'write'],
  'GET one': ['get', 'read'],
  'PUT one': ['replace', 'write'],
  'PATCH one': ['patch', 'write'],
  'DELETE one': ['delete', 'write'],
  'GET history': ['history', 'read'],
  'POST rollback': ['rollback', 'write'],
  'GET report': ['report', 'read'],
  'GET trend': ['trend', 'read'],
  'POST approve': ['approve', 'approve'],
  // What operators say to operations.
  'POST promote': ['promote', 'write'],
  'POST pause': ['pause', 'write'],
  'POST resume': ['resume', 'write'],
  'POST abort': ['abort', 'write'],
  'POST retry': ['retry', 'write'],
  'POST renew': ['renew', 'write'],
  'POST restore': ['restore', 'write'],
  'POST return': ['return', 'write'],
  'POST redrain': ['redrain', 'write'],
  // Of drills and their runs.
  'POST run': ['run', 'write'],
  'POST deny': ['deny', 'approve'],
  'POST note': ['note', 'write'],
};

const open = (verb: string, kind: string): Permission => ({ role: undefined, verb, kind, limited: 'open' });
const view = (kind: string, limited: Permission['limited']): Permission => ({ role: 'viewer', verb: 'get', kind, limited });
const rotates = (role: Role, verb: string): Permission => ({ role, verb, kind: 'TrustRotation', limited: 'closed' });
const admin = (verb: string, kind: string): Permission => ({ role: 'admin', verb, kind, limited: 'closed' });

/** Routes that are not of a resource kind. */
export const ROUTE_PERMISSIONS: Readonly<Record<string, Permission>> = {
  'GET /': open('get', 'Page'),
  'GET /page/page.css': open('get', 'Page'),
  'GET /page/page.js': open('get', 'Page'),
  // It asks for the page's own session.
  'GET /page/overview': open('get', 'Page'),
  'GET /livez': open('get', 'Health'),
  'GET /readyz': open('get', 'Health'),
  'GET /metrics': open('get', 'Metrics'),
  'GET /openapi.json': open('get', 'OpenAPI'),
  // The join token and the proof of possession are the credentials.
  'POST /join/v1/enroll': open('join', 'Cluster'),
  'POST /join/v1/renew': open('renew', 'Cluster'),
  // It shows policy of every namespace.
  'GET /hawser/v1/clusters/:name/policies': { ...view('Cluster', 'closed'), verb: 'policies' },
  'GET /hawser/v1/status': view('Status', 'open'),
  'GET /hawser/v1/rollouts/:revision': view('Rollout', 'open'),
  'GET /hawser/v1/services/:namespace/:service/answers': view('Service', 'path'),
  'GET /hawser/v1/proxies': view('Proxy', 'closed'),
  'GET /hawser/v1/proxies/:cluster/:proxy/config/:section': view('Proxy', 'closed'),
  'POST /hawser/v1/proxies/:cluster/:proxy/explain-route': view('Proxy', 'closed'),
  // It names callers of every namespace.
  'GET /hawser/v1/access/strict-readiness': view('Access', 'closed'),
  'GET /hawser/v1/traffic': view('Traffic', 'closed'),
  'GET /hawser/v1/traffic/stream': { ...view('Traffic', 'closed'), verb: 'watch' },
  'GET /hawser/v1/overview': view('Overview', 'closed'),
  'POST /hawser/v1/analyze': view('Analysis', 'closed'),
  // As with kubectl, who may not write has no use for it, and it costs the agents work.
  'GET /hawser/v1/local-drains': { ...view('Drain', 'open'), verb: 'list' },
  // They tell of services of every namespace.
  'GET /apis/hawser.dev/v1alpha1/drills/:name/plan': { ...view('Drill', 'closed'), verb: 'plan' },
  'GET /apis/hawser.dev/v1alpha1/drills/:name/readiness': { ...view('Drill', 'closed'), verb: 'readiness' },
  'GET /hawser/v1/drill-calendar': { ...view('Drill', 'open'), verb: 'calendar' },
  'POST /hawser/v1/drain-plans': { ...view('Drain', 'closed'), verb: 'plan' },
  'POST /hawser/v1/diff': { role: 'operator', verb: 'diff', kind: 'Policy', limited: 'closed' },
  'POST /hawser/v1/apply': { role: 'operator', verb: 'apply', kind: 'Policy', limited: 'closed' },
  'GET /hawser/v1/trust/domains': { ...view('TrustDomain', 'open'), verb: 'list' },
  // Bundles are public: whoever federates fetches them.
  'GET /spiffe/v1/bundles/:name': open('get', 'TrustBundle'),
  'GET /hawser/v1/trust/rotations': { ...view('TrustRotation', 'closed'), verb: 'list' },
  'GET /hawser/v1/trust/rotations/:name': view('TrustRotation', 'closed'),
  'POST /hawser/v1/trust/rotations': rotates('operator', 'rotate'),
  'POST /hawser/v1/trust/rotations/:name/pause': rotates('operator', 'pause'),
  'POST /hawser/v1/trust/rotations/:name/resume': rotates('operator', 'resume'),
  'POST /hawser/v1/trust/rotations/:name/rollback': rotates('operator', 'rollback'),
  // These cut off who is not there.
  'POST /hawser/v1/trust/rotations/:name/retire-now': rotates('admin', 'retire-now'),
  'POST /hawser/v1/trust/emergency-rotations': rotates('admin', 'rotate'),
  // Whoever was given a report can verify it.
  'GET /hawser/v1/drill-report-keys': open('list', 'DrillReportKey'),
  'GET /hawser/v1/notifications': { ...view('Notification', 'closed'), verb: 'list' },
  'GET /hawser/v1/audit': { role: 'approver', verb: 'list', kind: 'Audit', limited: 'closed' },
  'GET /hawser/v1/tokens': admin('list', 'Token'),
  'POST /hawser/v1/tokens': admin('create', 'Token'),
  'DELETE /hawser/v1/tokens/:name': admin('delete', 'Token'),
};

const RESOURCE_ROUTE = /^\/apis\/([^/]+)\/([^/]+)\/(?:(namespaces\/:namespace)\/)?([^/:]+)(\/:name)?(?:\/([a-z]+))?$/;

/** PURE: what the route of this method and pattern (`/apis/…/:name`) needs; undefined when nothing is declared for it. */
export function permissionOf(method: string, pattern: string): Permission | undefined {
  const asked = method === 'HEAD' ? 'GET' : method;
  return ROUTE_PERMISSIONS[`${asked} ${pattern}`] ?? resourcePermission(asked, pattern);
}

function resourcePermission(method: string, pattern: string): Permission | undefined {
  const [, group, version, namespaced, plural, one, part] = RESOURCE_ROUTE.exec(pattern) ?? [];
  const kind = KINDS.find((candidate) => candidate.group === group && candidate.plural === plural);
  if (kind === undefined || !kind.versions.includes(version ?? '')) return undefined;
  const roles = KIND_ROLES[kind.kind];
  const found = RESOURCE_VERBS[`${method} ${part ?? (one === undefined ? 'collection' : 'one')}`];
  if (roles === undefined || found === undefined) return undefined;
  const [verb, access] = found;
  return { role: roles[access], verb, kind: kind.kind, limited: limitOf(kind, access, namespaced !== undefined) };
}

/** A cluster's name and place are no secret of a namespace; resources of namespaces are, lists over all of them too. */
function limitOf(kind: KindDescriptor, access: Access, inNamespace: boolean): Permission['limited'] {
  if (inNamespace) return 'path';
  return !kind.namespaced && access === 'read' ? 'open' : 'closed';
}
