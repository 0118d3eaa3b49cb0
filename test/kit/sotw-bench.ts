/** A state-of-the-world stream's state machine on a bench, with a client that knows its names, versions and nonces. */
import type { SotwRequest } from '@hawser/agent/xds/sotw-request.ts';
import { SotwStream } from '@hawser/agent/xds/sotw-stream.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { ServedView } from './served-view.ts';

interface ClientType {
  names: readonly string[];
  version: string;
  nonce: string;
  /** Of the last response, to become `version` by an ACK. */
  offered: string;
}

/** A view over a map, and a stream on it; `sends` shows everything that goes out as `TYPE name@version …`. */
export class SotwBench {
  readonly view: ServedView;
  now = 0;
  stream: SotwStream;
  readonly client = new Map<XdsType, ClientType>();
  readonly nonces: string[] = [];

  constructor(options: { silent?: boolean; view?: ServedView } = {}) {
    this.view = options.view ?? new ServedView();
    this.stream = new SotwStream(this.view, { silent: options.silent ?? false });
  }

  /** Changes what is served, in the words of `ServedView.change`. */
  change(...changes: string[]): string[] {
    for (const { type, name } of this.view.change(changes)) this.stream.changed(type, name);
    return this.sends();
  }

  /** Asks with the client's own version and nonce, unless others are given. */
  ask(type: XdsType, names: readonly string[], request: Partial<SotwRequest> = {}): string[] {
    const state = this.state(type);
    state.names = names;
    this.stream.request(type, { version: state.version, nonce: state.nonce, names, error: undefined, ...request });
    return this.sends();
  }

  ack(type: XdsType, names?: readonly string[]): string[] {
    const state = this.state(type);
    state.version = state.offered;
    return this.ask(type, names ?? state.names);
  }

  nack(type: XdsType, error = 'bad'): string[] {
    return this.ask(type, this.state(type).names, { error });
  }

  /** A new stream of the same client: it keeps names and versions, and repeats them, type by type, as it is asked to. */
  reconnect({ silent = false } = {}): void {
    this.stream = new SotwStream(this.view, { silent });
    for (const state of this.client.values()) state.nonce = '';
  }

  sends(): string[] {
    const lines: string[] = [];
    for (let response = this.stream.next(this.now); response !== undefined; response = this.stream.next(this.now)) {
      const state = this.state(response.type);
      [state.nonce, state.offered] = [response.nonce, response.version];
      this.nonces.push(response.nonce);
      lines.push([response.type, ...Array.from(response.resources, ({ name, version }) => ` ${name}@${version}`).sort()].join(''));
    }
    return lines;
  }

  /** Advances to the time at which the stream wants to be asked again. */
  wake(): string[] {
    this.now = this.stream.wakeAt ?? Number.NaN;
    return this.sends();
  }

  state(type: XdsType): ClientType {
    const state = this.client.get(type) ?? { names: [], version: '', nonce: '', offered: '' };
    this.client.set(type, state);
    return state;
  }
}
