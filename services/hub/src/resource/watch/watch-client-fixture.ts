/** A watcher for tests: reads events as they come, and can be cut off at any time. */
import type { Resource } from '@hawser/model/resource.ts';

/** One event. */
export interface WatchedEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Resource & { readonly code?: number; readonly reason?: string };
}

/** An open watch. */
export interface TestWatch {
  readonly code: number;
  readonly events: readonly WatchedEvent[];
  /** Whether the hub has ended it, cleanly. */
  readonly ended: Promise<boolean>;
  cut(): void;
}

/** Opens one; `onEvent` may cut it. */
export async function watchFrom(
  url: string,
  token: string,
  onEvent: (event: WatchedEvent, cut: () => void) => void = () => {},
): Promise<TestWatch> {
  const aborter = new AbortController();
  const cut = (): void => aborter.abort();
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal: aborter.signal });
  const events: WatchedEvent[] = [];
  const read = async (): Promise<boolean> => {
    let rest = '';
    try {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (aborter.signal.aborted) return false;
          const event = JSON.parse(line) as WatchedEvent;
          events.push(event);
          onEvent(event, cut);
        }
      }
      return rest === '';
    } catch {
      return false;
    }
  };
  return { code: response.status, events, ended: read(), cut };
}

/** `TYPE name@revision` of each event but bookmarks. */
export function briefly(events: readonly WatchedEvent[]): readonly string[] {
  return events
    .filter(({ type }) => type !== 'BOOKMARK')
    .map(({ type, object }) => `${type} ${object.metadata?.name}@${object.metadata?.resourceVersion}`);
}
