/** Every finding that the analysis can have: what it means, how bad it is and the way out. `docs/analysis.md` is made of this table. */

/** Error: it does not do what it says, or is refused. Warning: it probably does not do what was meant. Info: worth knowing. */
export type Severity = 'Error' | 'Warning' | 'Info';

/** One kind of finding. */
export interface CodeDescription {
  readonly severity: Severity;
  /** A clause without a full stop. */
  readonly title: string;
  /** What to do; a clause without a full stop. */
  readonly fix: string;
}

const error = (title: string, fix: string): CodeDescription => ({ severity: 'Error', title, fix });
const warning = (title: string, fix: string): CodeDescription => ({ severity: 'Warning', title, fix });
const info = (title: string, fix: string): CodeDescription => ({ severity: 'Info', title, fix });

/** By code. A code that was given is never used for anything else. */
export const CODES = {
  HW0001: error('the hub refuses it', 'write what the message asks for; hawser explain KIND shows the fields'),
  HW0002: error('a field of Istio that Hawser refuses', 'take the field out'),
  HW0003: warning('a field that is removed or deprecated', 'write the field that took its place'),
  HW0004: info('an old version of the API', 'write the version that the hub answers with'),
  HW0005: error('the same resource twice', 'keep one of them'),

  HW0101: error('a VirtualService for a host that does not exist', 'name a service that a cluster exports, or a host of a ServiceEntry'),
  HW0102: error('a DestinationRule for a host that does not exist', 'name a service that a cluster exports, or a host of a ServiceEntry'),
  HW0103: error(
    'a route to a host that does not exist: its requests get 503',
    'name a service that a cluster exports, or a host of a ServiceEntry',
  ),
  HW0104: error('a route to a port that the service does not have', 'name one of its ports'),
  HW0105: error(
    'a route to a subset that no DestinationRule defines: its requests get 503',
    'define the subset in a DestinationRule of the host',
  ),
  HW0106: warning('a subset without endpoints', 'give it labels that workloads of the service have'),
  HW0107: info('a subset that no route names', 'route to it, or take it out'),

  HW0201: warning('a rule behind one that takes every request', 'put it before that rule'),
  HW0202: warning('a match that an earlier rule takes whole', 'put the narrower rule first, or take this one out'),
  HW0203: warning('rules that an older VirtualService for the same host hides', 'bring them together in one VirtualService'),
  HW0204: info('several VirtualServices for one host: their rules follow each other by age', 'bring them together if their order matters'),
  HW0205: warning('weights that do not add up to 100', 'let the weights of a route add up to 100'),
  HW0206: warning('a limit per try above that of the whole request', 'make perTryTimeout shorter than timeout'),
  HW0207: info('retries that the timeout leaves no room for', 'lengthen timeout, or shorten perTryTimeout'),
  HW0208: info('retries without a limit per try', 'set retries.perTryTimeout: a try that hangs uses up the timeout'),
  HW0209: warning('a fault for every request of a rule', 'lower its percentage, or take it out when the test is over'),
  HW0210: info('an expression that matches everything', 'leave the condition out'),
  HW0211: error('a condition that no request can meet', 'write paths from / on, and methods in upper case'),
  HW0212: error('a delegate that is not there', 'name a VirtualService that has no hosts'),

  HW0301: warning('several DestinationRules for one host', 'bring them together in one DestinationRule'),
  HW0302: warning('a subset that an older DestinationRule defines already', 'give it another name, or take it out'),
  HW0303: error('TLS settings that the servers of the mesh do not take', 'leave tls out: the mesh encrypts by itself'),
  HW0304: error('mutual TLS of the mesh towards a host outside of it', 'use SIMPLE or MUTUAL for hosts outside of the mesh'),
  HW0305: error('shares of localities that do not add up to 100', 'let the shares of one origin add up to 100'),
  HW0306: info(
    'a DestinationRule beside the service: it holds for callers of its own namespace alone',
    'put it into the namespace of the service if all callers are meant',
  ),

  HW0401: warning('clusters that disagree about a port', 'give the port one name and one protocol in all clusters'),
  HW0402: warning('a port whose name tells another protocol than it has', 'let name and appProtocol agree'),
  HW0403: warning('a well-known port of another protocol, taken for HTTP', 'set appProtocol: tcp, or name it tcp-…'),
  HW0404: error('rules for a protocol that the service does not speak', 'use tcp rules, or correct the protocol of the port'),

  HW0501: warning('policy that reaches no cluster', 'select a cluster by labels that it has: hawser get clusters shows them'),
  HW0502: error('a subset that is not defined in all clusters of the route', 'place the DestinationRule on the same clusters'),
  HW0503: error('a region in which no cluster is', 'name a region of the fleet'),
  HW0504: error('a service that no cluster exports', 'export the service, or take its name out'),
  HW0505: warning('policy that an older one overrides', 'bring them together'),
  HW0506: error('a cluster that has not joined', 'name a cluster of the fleet: hawser get clusters shows them'),
  HW0507: error('a shift in steps of a service that another shift moves', 'let one end, and delete it, before the other begins'),
  HW0508: warning('a share for a place that is drained', 'restore the place first (hawser drain restore), or give it no share'),
  HW0509: warning('a drain of what another one drains', 'restore one before the other begins'),
  HW0510: warning(
    'policy that is not in force in a cluster, which has its own of this name',
    'keep it from that cluster by hawser.dev/clusters, or delete the one there',
  ),
  HW0511: warning(
    "policy that keeps a cluster's own of this name out of force",
    'delete one of them, or keep this one from that cluster by hawser.dev/clusters',
  ),

  HW0601: warning('a Gateway that selects no proxy', 'give it a selector that an edge proxy has'),
  HW0602: error('a gateway that does not exist', 'name a Gateway as NAMESPACE/NAME, or mesh'),
  HW0603: warning('a host that its Gateway does not serve', 'add the host to the servers of the Gateway'),
  HW0604: error('Gateways that want one port for different protocols', 'use another port'),
  HW0605: warning('Gateways that serve one host at one port', 'serve it in one Gateway'),
  HW0606: info('a Gateway to which no VirtualService is bound', 'bind a VirtualService, or take the Gateway out'),

  HW0701: warning('a Sidecar that hides a host its namespace routes to', 'add the host to egress'),
  HW0702: error('several Sidecars for the same workloads', 'keep one for the namespace, or tell them apart by workloadSelector'),
  HW0703: warning('a Sidecar that lets a host through that does not exist', 'name a host that exists'),

  HW0801: warning('ServiceEntries with the same host', 'keep one of them'),
  HW0802: warning('a ServiceEntry with the host of a service of the mesh', 'take the host out, or do not export the service'),
  HW0803: warning('ServiceEntries with the same address and port', 'give each an address of its own'),
  HW0804: warning('a ServiceEntry whose selector no WorkloadEntry meets', 'give it labels that a WorkloadEntry of its namespace has'),

  HW0901: warning('policy that is hidden from those who need it', 'add their namespace to exportTo'),
  HW0902: info('exportTo names a namespace in which nothing is', 'correct its name'),

  HW1001: error(
    'a provider that does not exist, or is for something else',
    'name an ExtensionProvider of the namespace or of hawser-system',
  ),

  HW1101: warning('a principal of a trust domain that nobody has', 'name a trust domain of the fleet: hawser trust roots shows them'),
  HW1102: info(
    'a grant by namespace or account: it reaches callers of the own trust domain alone',
    'name callers of other clusters as principals, TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT',
  ),
  HW1103: info('an ALLOW policy without rules: it lets nobody in', 'leave it so to deny by default, or add rules'),
  HW1104: warning('a rule about tokens that nothing verifies', 'add a RequestAuthentication for the same workloads'),
  HW1105: info(
    'a RequestAuthentication that requests without a token pass',
    'ask for one: an AuthorizationPolicy with source.requestPrincipals ["*"]',
  ),
  HW1106: warning('several PeerAuthentications for the same workloads', 'keep one of them'),
  HW1107: warning('a federation with a trust domain that nobody has', 'correct its name, or write its TrustDomain'),
  HW1108: warning('a federation that is not returned: no calls succeed', "name this trust domain in the other's federatesWith too"),
} as const satisfies Readonly<Record<string, CodeDescription>>;

export type Code = keyof typeof CODES;

/** All codes, in order. */
export const CODE_NAMES = Object.keys(CODES) as readonly Code[];
