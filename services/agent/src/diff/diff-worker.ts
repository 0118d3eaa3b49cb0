/** The thread that compares: however long it takes, the agent goes on serving. */
import { parentPort, workerData } from 'node:worker_threads';
import { compileDiff, type DiffInput } from './compile-diff.ts';

parentPort?.postMessage(compileDiff(workerData as DiffInput));
