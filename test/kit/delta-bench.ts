/** A delta stream's state machine on a bench: changes and requests in short words in, what goes out as short lines out. */
import type { XdsResource } from '@hawser/agent/snapshot/resource.ts';
import type { DeltaRequest } from '@hawser/agent/xds/delta-request.ts';
import { DeltaStream } from '@hawser/agent/xds/delta-stream.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { ServedView } from './served-view.ts';

/** A view over a map, and a stream on it; `sends` shows everything that goes out as `TYPE +name@version -removed`. */
export class DeltaBench {
  readonly view = new ServedView();
  now = 0;
  readonly stream: DeltaStream;
  readonly last = new Map<XdsType, string>();

  constructor(silent = false) {
    this.stream = new DeltaStream(this.view, { silent });
  }

  get served(): Map<string, XdsResource> {
    return this.view.served;
  }

  /** Changes what is served, in the words of `ServedView.change`. */
  change(...changes: string[]): string[] {
    for (const { type, name } of this.view.change(changes)) this.stream.changed(type, name);
    return this.sends();
  }

  ask(type: XdsType, request: Partial<DeltaRequest> = {}): string[] {
    this.stream.request(type, { subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce: '', error: undefined, ...request });
    return this.sends();
  }

  subscribe(type: XdsType, ...names: string[]): string[] {
    return this.ask(type, { subscribe: names });
  }

  reconnect(type: XdsType, subscribe: string[], versions: Record<string, string>): string[] {
    return this.ask(type, { subscribe, initialVersions: new Map(Object.entries(versions)) });
  }

  ack(type: XdsType): string[] {
    return this.ask(type, { nonce: this.last.get(type) ?? '' });
  }

  nack(type: XdsType, error = 'bad'): string[] {
    return this.ask(type, { nonce: this.last.get(type) ?? '', error });
  }

  sends(): string[] {
    const lines: string[] = [];
    for (let response = this.stream.next(this.now); response !== undefined; response = this.stream.next(this.now)) {
      this.last.set(response.type, response.nonce);
      const puts = response.resources.map(({ name, version }) => ` +${name}@${version}`).sort();
      lines.push([response.type, ...puts, ...response.removed.map((name) => ` -${name}`).sort()].join(''));
    }
    return lines;
  }

  /** Advances to the time at which the stream wants to be asked again. */
  wake(): string[] {
    this.now = this.stream.wakeAt ?? Number.NaN;
    return this.sends();
  }
}
