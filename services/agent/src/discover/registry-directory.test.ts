import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RegistryDirectory } from './registry-directory.ts';
import { objectKey } from './registry-kinds.ts';
import type { RegistryRead } from './registry-source.ts';

const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;

/** Everything a registry directory reported, and a way to wait for what is still to come. */
class Recorder {
  readonly reads: RegistryRead[] = [];
  held: string | undefined;
  #wake: (() => void)[] = [];

  readonly onRead = (read: RegistryRead): void => {
    this.reads.push(read);
    this.#notify();
  };
  readonly onHold = (reason: string | undefined): void => {
    this.held = reason;
    this.#notify();
  };

  get last(): RegistryRead | undefined {
    return this.reads.at(-1);
  }

  keys(): string[] {
    return (this.last?.objects ?? []).map(objectKey);
  }

  /** Resolves as soon as the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

describe('RegistryDirectory', () => {
  let base: string;
  let root: string;
  let seen: Recorder;
  let registry: RegistryDirectory;
  const put = (name: string, text: string): void => writeFileSync(join(root, name), text);

  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'hawser-registry-'));
    root = join(base, 'registry');
    mkdirSync(root);
    put('a.yaml', service('a'));
    put('b.yaml', service('b'));
    seen = new Recorder();
    registry = new RegistryDirectory({ root, onRead: seen.onRead, onHold: seen.onHold });
    await registry.start();
  });
  afterEach(async () => {
    await registry.stop();
    rmSync(base, { recursive: true, force: true });
  });

  it('reads everything once, as a relist', () => {
    expect(seen.keys()).toEqual(['Service/default/a', 'Service/default/b']);
    expect(seen.last?.how).toBe('relist');
  });

  it('sees a rewrite, a rename over, a new file and a removal, each as the word of its owner', async () => {
    put('a.yaml', service('a2'));
    await seen.until(() => seen.keys().includes('Service/default/a2'));
    expect(seen.last?.how).toBe('live');
    writeFileSync(join(root, '.tmp'), service('b2'));
    renameSync(join(root, '.tmp'), join(root, 'b.yaml'));
    await seen.until(() => seen.keys().includes('Service/default/b2'));
    put('c.yml', service('c'));
    await seen.until(() => seen.keys().includes('Service/default/c'));
    unlinkSync(join(root, 'a.yaml'));
    await seen.until(() => !seen.keys().includes('Service/default/a2'));
    expect(seen.last?.how).toBe('live');
    expect(seen.keys()).toEqual(['Service/default/b2', 'Service/default/c']);
    expect(seen.held).toBeUndefined();
  });

  it('keeps the last good objects of a half-written, empty or wrong file, says where, and takes it when it is good again', async () => {
    put('a.yaml', 'apiVersion: v1\nkind: Service\nmetadata: {name: a');
    await seen.until(() => (seen.last?.warnings.length ?? 0) > 0);
    expect(seen.last?.warnings[0]?.message).toMatch(/^a\.yaml:3: Flow map/);
    expect(seen.keys()).toEqual(['Service/default/a', 'Service/default/b']);
    put('a.yaml', '');
    await seen.until(() => /holds no object/.test(seen.last?.warnings[0]?.message ?? ''));
    expect(seen.keys()).toEqual(['Service/default/a', 'Service/default/b']);
    put('a.yaml', service('a').replace('spec', 'spek'));
    await seen.until(() => /spek/.test(seen.last?.warnings[0]?.message ?? ''));
    expect(seen.last?.warnings[0]?.message).toBe('a.yaml:4: spek: unknown field (and 1 more)');
    put('a.yaml', service('a', 81));
    await seen.until(() => seen.last?.warnings.length === 0);
    expect(seen.keys()).toEqual(['Service/default/a', 'Service/default/b']);
  });

  it('keeps what a file held when a directory takes its place', async () => {
    unlinkSync(join(root, 'a.yaml'));
    mkdirSync(join(root, 'a.yaml'));
    await seen.until(() => seen.last?.warnings.length === 1);
    expect(seen.last?.warnings[0]?.message).toBe('a.yaml: is a directory, not a file');
    expect(seen.keys()).toEqual(['Service/default/a', 'Service/default/b']);
    await registry.rescan();
    expect(seen.keys()).toEqual(['Service/default/a', 'Service/default/b']);
  });

  it('takes back what it took for a removal when a directory or a broken file follows', async () => {
    const follows: [string, () => void][] = [
      ['a', () => mkdirSync(join(root, 'a.yaml'))],
      ['b', () => put('b.yaml', 'kind: [\n')],
    ];
    for (const [name, replace] of follows) {
      unlinkSync(join(root, `${name}.yaml`));
      await seen.until(() => !seen.keys().includes(`Service/default/${name}`));
      replace();
      await seen.until(() => seen.keys().includes(`Service/default/${name}`));
      expect(seen.last?.warnings.at(-1)?.message).toMatch(new RegExp(`^${name}\\.yaml`));
    }
    expect(seen.keys()).toEqual(['Service/default/a', 'Service/default/b']);
  });

  it('keeps what a file held that stops in the middle of it, though it is good YAML', async () => {
    const whole = 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n    - port: 8080\n';
    put('a.yaml', whole);
    const ports = (): unknown => seen.last?.objects[0]?.kind === 'Service' && seen.last.objects[0].spec.ports;
    await seen.until(() => JSON.stringify(ports()) === '[{"port":8080}]');
    put('a.yaml', whole.slice(0, -3)); // port: 80
    await seen.until(() => seen.last?.warnings.length === 1);
    expect(seen.last?.warnings[0]?.message).toMatch(/^a\.yaml: ends in the middle of what it held before/);
    expect(ports()).toEqual([{ port: 8080 }]);
    put('a.yaml', whole.trimEnd()); // only its last line end is missing
    await seen.until(() => seen.last?.warnings.length === 0);
    expect(ports()).toEqual([{ port: 8080 }]);
  });

  it('lets the first file of two win', async () => {
    put('c.yaml', service('a', 99));
    await seen.until(() => seen.last?.warnings.length === 1);
    expect(seen.last?.warnings[0]?.message).toBe('c.yaml: Service/default/a is already defined in a.yaml; this one is ignored');
    expect(seen.last?.objects.filter((object) => object.metadata.name === 'a')).toHaveLength(1);
  });

  it('holds everything while the directory is away, and relists when it returns', async () => {
    const reads = seen.reads.length;
    rmSync(root, { recursive: true });
    await seen.until(() => seen.held !== undefined);
    expect(seen.held).toContain(root);
    expect(seen.reads.slice(reads).every((read) => read.objects.length === 2)).toBe(true);
    mkdirSync(root);
    put('b.yaml', service('b'));
    await seen.until(() => seen.held === undefined && seen.keys().length === 1);
    expect(seen.last?.how).toBe('relist');
    put('d.yaml', service('d'));
    await seen.until(() => seen.keys().includes('Service/default/d'));
    expect(seen.last?.how).toBe('live');
  });

  it('relists when another directory takes its place', async () => {
    mkdirSync(join(base, 'other'));
    writeFileSync(join(base, 'other', 'z.yaml'), service('z'));
    renameSync(root, join(base, 'old'));
    renameSync(join(base, 'other'), root);
    await seen.until(() => seen.keys().includes('Service/default/z'));
    expect(seen.last?.how).toBe('relist');
    expect(seen.keys()).toEqual(['Service/default/z']);
  });

  it('holds when a file takes the place of the directory', async () => {
    renameSync(root, join(base, 'old'));
    writeFileSync(root, 'not a directory');
    await seen.until(() => seen.held?.includes('not a directory') === true);
    expect(seen.keys()).toHaveLength(2);
  });

  it('watches sub-folders of one level, also later ones', async () => {
    mkdirSync(join(root, 'team'));
    put('team/t.yaml', service('t'));
    await seen.until(() => seen.keys().includes('Service/default/t'));
    put('team/t.yaml', service('t2'));
    await seen.until(() => seen.keys().includes('Service/default/t2'));
    rmSync(join(root, 'team'), { recursive: true });
    await seen.until(() => !seen.keys().includes('Service/default/t2'));
    expect(seen.keys()).toHaveLength(2);
  });

  it('follows a symbolic link that leads elsewhere', async () => {
    mkdirSync(join(root, '..v1'));
    writeFileSync(join(root, '..v1', 'l.yaml'), service('l1'));
    symlinkSync('..v1', join(root, '..data'));
    symlinkSync('..data/l.yaml', join(root, 'l.yaml'));
    await seen.until(() => seen.keys().includes('Service/default/l1'));
    mkdirSync(join(root, '..v2'));
    writeFileSync(join(root, '..v2', 'l.yaml'), service('l2'));
    symlinkSync('..v2', join(root, '..new'));
    renameSync(join(root, '..new'), join(root, '..data'));
    await seen.until(() => seen.keys().includes('Service/default/l2'));
  });

  it('starts from what its files held when they are not good now', async () => {
    const byFile = new Map(seen.last?.byFile);
    put('a.yaml', 'kind: [');
    const later = new Recorder();
    const next = new RegistryDirectory({ root, seed: byFile, onRead: later.onRead, onHold: later.onHold });
    await next.start();
    expect(later.keys()).toEqual(['Service/default/a', 'Service/default/b']);
    await next.stop();
  });

  it.skipIf(process.getuid?.() === 0)('keeps what an unreadable file held', async () => {
    chmodSync(join(root, 'a.yaml'), 0o000);
    await registry.rescan();
    expect(seen.keys()).toHaveLength(2);
    expect(seen.last?.warnings).toHaveLength(1);
  });
});
