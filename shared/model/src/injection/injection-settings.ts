/** What sidecars are made of: a file that the agent's webhook and `hawser kube-inject` read alike. */
import { createHash } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { isAddressRange } from '../address-range.ts';

const Port = Type.Integer({ minimum: 1, maximum: 65_535 });
/** An amount of CPU or memory. */
export const QUANTITY = /^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$/;
/** A reference of an image. */
export const IMAGE = /^\S{1,512}$/;
const Quantity = Type.String({ pattern: QUANTITY.source });
const Amounts = Type.Object({ cpu: Type.Optional(Quantity), memory: Type.Optional(Quantity) }, { additionalProperties: false });
const Name = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

/** The file, as written. */
export const InjectionFile = Type.Object(
  {
    /** Image of `deploy/Dockerfile.proxy`: hawser, Envoy and iptables. */
    image: Type.String({ pattern: IMAGE.source }),
    /** xDS address of the agents as Pods reach it, `NAME:PORT` or `IP:PORT`; several with commas between. */
    agent: Type.String({ minLength: 3, pattern: '^[^\\s,]+:[0-9]+(,[^\\s,]+:[0-9]+)*$' }),
    revision: Type.Optional(Type.String({ pattern: `^${Name}$`, maxLength: 40 })),
    /** User of the sidecar, whose traffic is never captured. */
    proxyUser: Type.Optional(Type.Integer({ minimum: 1, maximum: 4_294_967_294 })),
    /**
     * Whether a Pod's traffic is led to its sidecar by iptables, which takes NET_ADMIN: namespaces that enforce the Pod Security Standard
     * `baseline` or `restricted` refuse that. Without it a workload calls through the sidecar's port 15001.
     */
    capture: Type.Optional(Type.Boolean()),
    /** Whether IPv6 is captured too: nodes need ip6tables. */
    ipv6: Type.Optional(Type.Boolean()),
    /** The agent's `--virtual-range`. */
    virtualRange: Type.Optional(Type.String()),
    requests: Type.Optional(Amounts),
    limits: Type.Optional(Amounts),
    excludeInboundPorts: Type.Optional(Type.Array(Port, { maxItems: 100 })),
    excludeOutboundPorts: Type.Optional(Type.Array(Port, { maxItems: 100 })),
    /** CIDRs. */
    excludeOutbound: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
    /** Beside those of Kubernetes itself: where nothing is injected, whatever labels say; the agent's own belongs here. */
    ignoredNamespaces: Type.Optional(Type.Array(Type.String({ pattern: `^${Name}$` }), { maxItems: 1_000 })),
    /** What the agent serves; not for `kube-inject`. */
    webhook: Type.Optional(
      Type.Object(
        {
          /** Name of the MutatingWebhookConfiguration that is given the CA; none is where something else gives it. */
          configuration: Type.Optional(Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' })),
          /** Names that API servers reach the webhook by, `SERVICE.NAMESPACE.svc`. */
          names: Type.Array(Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' }), {
            minItems: 1,
            maxItems: 16,
          }),
          /** IP address that it listens on. */
          address: Type.Optional(Type.String()),
          port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type InjectionFile = Static<typeof InjectionFile>;

/** Everything that an injected Pod depends on. */
export interface InjectionSettings {
  readonly cluster: string;
  /** PEM of all that the agent's door may be known by. */
  readonly agentCa: string;
  /** What signs that door now: another one wants new Pods. Empty where nobody knows. */
  readonly door: string;
  readonly image: string;
  readonly agent: string;
  readonly revision: string;
  readonly proxyUser: number;
  readonly capture: boolean;
  readonly ipv6: boolean;
  readonly virtualRange: string;
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
  readonly excludeInboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  readonly excludeOutbound: readonly string[];
  readonly ignoredNamespaces: readonly string[];
}

/** Namespaces of Kubernetes itself. */
const OF_KUBERNETES = ['kube-system', 'kube-public', 'kube-node-lease'];
/** A sidecar is an Envoy (70 MiB with a small mesh) and the process that runs it. */
const REQUESTS = { cpu: '50m', memory: '160Mi' };
const LIMITS = { memory: '512Mi' };

const shape = Compile(InjectionFile);

/** The file's content, or a sentence that names the field. */
export function readInjectionFile(content: unknown): InjectionFile | string {
  if (!shape.Check(content)) {
    const [error] = shape.Errors(content);
    const field = (error?.instancePath ?? '').slice(1).replaceAll('/', '.');
    return `${field === '' ? 'the file' : field}: ${error?.message ?? 'is no settings of injection'}`;
  }
  const ranges = [...(content.excludeOutbound ?? []), ...(content.virtualRange === undefined ? [] : [content.virtualRange])];
  const bad = ranges.find((text) => !isAddressRange(text));
  return bad === undefined ? content : `${JSON.stringify(bad)} is no CIDR`;
}

/** The settings of a cluster; what the file does not say is as it is by default. */
export function injectionSettings(file: InjectionFile, of: Pick<InjectionSettings, 'cluster' | 'agentCa' | 'door'>): InjectionSettings {
  return {
    ...of,
    image: file.image,
    agent: file.agent,
    revision: file.revision ?? 'default',
    proxyUser: file.proxyUser ?? 1337,
    ...{ capture: file.capture ?? true, ipv6: file.ipv6 ?? true },
    virtualRange: file.virtualRange ?? '240.240.0.0/12',
    requests: { ...REQUESTS, ...file.requests },
    limits: { ...LIMITS, ...file.limits },
    excludeInboundPorts: file.excludeInboundPorts ?? [],
    excludeOutboundPorts: file.excludeOutboundPorts ?? [],
    excludeOutbound: file.excludeOutbound ?? [],
    ignoredNamespaces: [...OF_KUBERNETES, ...(file.ignoredNamespaces ?? [])],
  };
}

/** Value of the label `hawser.dev/sidecar`: another one whenever a Pod should be made anew. A root that joins the bundle is no such reason. */
export function sidecarMark({ ignoredNamespaces: _where, agentCa: _bundle, ...settings }: InjectionSettings): string {
  const sorted = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${settings.revision}.${createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 10)}`;
}
