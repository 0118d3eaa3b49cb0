/** PURE: what becomes of a shift by an operator's word. */
import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import { acknowledged, type ShiftEvidence } from './shift-evidence.ts';
import { back, promoted, resumed, type ShiftState, started } from './shift-state.ts';

/** What operators may say. */
export const SHIFT_COMMANDS = ['promote', 'pause', 'resume', 'abort', 'retry', 'approve'] as const;
type ShiftCommand = (typeof SHIFT_COMMANDS)[number];

/** A command with what it is about. */
export interface Commanded {
  readonly spec: SteppedShift;
  readonly evidence: ShiftEvidence;
  readonly actor: string;
}

type Outcome = ShiftState | string;

const WORDS: Readonly<Record<ShiftCommand, (state: ShiftState, by: Commanded) => Outcome>> = {
  promote,
  pause,
  resume,
  abort,
  retry,
  approve,
};

/** The state after it; a text says why that cannot be, and what can. */
export function commanded(state: ShiftState, command: string, by: Commanded): Outcome {
  const word = SHIFT_COMMANDS.find((one) => one === command);
  return word === undefined ? `there is no command ${command}; there are ${SHIFT_COMMANDS.join(', ')}` : WORDS[word](state, by);
}

function over({ phase }: ShiftState): string | undefined {
  if (phase === 'Done') return 'it is done: abort takes it back to the start';
  if (phase === 'RolledBack' || phase === 'Failed') return `it is ${phase}: retry begins it anew`;
  if (phase === 'RollingBack') return 'it is on its way back: retry begins it anew when it is there';
  return phase === 'Pending' ? 'its time has not come: delete it, or set spec.suspend' : undefined;
}

function promote(state: ShiftState, { spec, evidence }: Commanded): Outcome {
  const ended = over(state);
  if (ended !== undefined) return ended;
  // Also while it is held there.
  if (spec.steps[state.step]?.approval !== undefined)
    return 'it waits for an approval, by another than who asked for it: hawser shift approve';
  if (state.pausedBy === 'gate' || state.pausedBy === 'emergency') return `nobody passes a guard: ${state.message ?? ''}`;
  const failed = evidence.checks.find(({ verdict, action }) => verdict === 'failed' && action !== 'record');
  if (failed !== undefined) return `check ${failed.name} has failed`;
  if (state.isSet && state.ackedAt === undefined) {
    const answer = acknowledged(spec, evidence, 0);
    if (answer.verdict !== 'yes') return `what step ${state.step + 1} set is not in force yet: ${answer.message}`;
  }
  const isSetting = state.phase === 'Progressing' || (state.pausedBy !== 'step' && sets(spec, state.step));
  if (isSetting && !state.isSet) return `step ${state.step + 1} has not begun yet`;
  return promoted(state, spec, evidence);
}

function sets({ steps }: SteppedShift, index: number): boolean {
  const { setWeights, setHeaderRoute, setMirror } = steps[index] ?? {};
  return setWeights !== undefined || setHeaderRoute !== undefined || setMirror !== undefined;
}

function pause(state: ShiftState, { evidence: { clock }, actor }: Commanded): Outcome {
  const ended = over(state);
  if (ended !== undefined) return ended;
  if (state.pausedBy === 'operator') return 'it is paused already';
  return { ...state, phase: 'Paused', pausedBy: 'operator', since: clock, message: `paused by ${actor}` };
}

function resume(state: ShiftState, { spec, evidence }: Commanded): Outcome {
  const ended = over(state);
  if (ended !== undefined) return ended;
  if (state.phase !== 'Paused') return `it is not paused: it is ${state.phase}`;
  if (state.pausedBy === 'suspend') return 'spec.suspend is true: apply it without';
  if (state.pausedBy === 'gate' || state.pausedBy === 'emergency')
    return `it goes on by itself when nothing is in the way: ${state.message ?? ''}`;
  return state.pausedBy === 'step' ? promote(state, { spec, evidence, actor: '' }) : resumed(state, spec, evidence.clock);
}

function abort(state: ShiftState, { spec, evidence, actor }: Commanded): Outcome {
  const { phase } = state;
  if (phase === 'RollingBack' || phase === 'RolledBack' || phase === 'Failed') return `it is ${phase} already`;
  return { ...back(state, spec, evidence.clock), message: `aborted by ${actor}` };
}

function retry(state: ShiftState, { spec, evidence, actor }: Commanded): Outcome {
  if (state.phase !== 'RolledBack' && state.phase !== 'Failed') return `it is ${state.phase}: abort takes it back first`;
  return started(spec, evidence, { requestedBy: actor, run: state.run + 1 });
}

function approve(state: ShiftState, { spec, evidence, actor }: Commanded): Outcome {
  if (state.phase !== 'AwaitingApproval') return over(state) ?? `it waits for no approval: it is ${state.phase}`;
  if (actor === state.requestedBy) return `${actor} asked for it: another approves`;
  const approvals = [...state.approvals, { by: actor, step: state.step }];
  return { ...promoted(state, spec, evidence), approvals };
}
