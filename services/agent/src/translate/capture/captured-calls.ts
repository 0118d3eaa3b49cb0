/** What of the services that a workload may call it may call by connections that the kernel leads to its sidecar. Pure. */
import type { EncodedHost } from '../routes/route-config.ts';
import { boundedService, importsCaptured, type SidecarBounds } from '../scope/sidecar-bounds.ts';
import type { ServiceView } from '../services/service-view.ts';

/** Services, and virtual hosts. */
export interface Calls {
  readonly views: readonly ServiceView[];
  readonly hosts: readonly EncodedHost[];
  /** Whether some may be called explicitly alone. */
  readonly isPartial: boolean;
}

/** All of them, unless a Sidecar has listeners of `captureMode` NONE. */
export function capturedCalls(all: Omit<Calls, 'isPartial'>, bounds: SidecarBounds | undefined): Calls {
  if (bounds?.egress?.some(({ listener }) => listener.captureMode === 'NONE') !== true) return { ...all, isPartial: false };
  const views = all.views.map((view) => {
    const service = boundedService(view);
    const hosts = view.hosts.map((host) => ({ ...host, ports: host.ports.filter((port) => importsCaptured(bounds, service, port)) }));
    return { ...view, hosts: hosts.filter(({ ports }) => ports.length > 0) };
  });
  const names = new Set(views.flatMap(({ hosts }) => hosts.flatMap(({ host, ports }) => ports.map(({ port }) => `${host}:${port}`))));
  return { views, hosts: all.hosts.filter(({ name }) => names.has(name)), isPartial: true };
}
