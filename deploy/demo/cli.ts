/** The product's own command line, as an operator would use it. */
import { spawn } from 'node:child_process';
import { HAWSER, ROOT } from './processes.ts';

/** What a command said. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `hawser ARGS` against one hub. */
export type Cli = (args: readonly string[], input?: string) => Promise<CliResult>;

/** A command line bound to a hub and its state folder. */
export function createCli(env: Readonly<Record<string, string>>): Cli {
  return (args, input = '') =>
    new Promise((resolve, reject) => {
      const [node, main] = HAWSER;
      const child = spawn(node, [main, ...args], { cwd: ROOT, env: { ...process.env, ...env }, stdio: 'pipe', timeout: 120_000 });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (part) => (stdout += part));
      child.stderr.on('data', (part) => (stderr += part));
      child.stdin.on('error', () => {}); // it ended without reading
      child.stdin.end(input);
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
    });
}

/** The output of a command that must succeed; throws with what it said otherwise. */
export async function mustRun(cli: Cli, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await cli(args, input);
  if (code !== 0) throw new Error(`hawser ${args.join(' ')} ended with ${code}: ${(stderr || stdout).trim()}`);
  return stdout;
}
