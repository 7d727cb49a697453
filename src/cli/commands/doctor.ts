import type {Argv} from 'yargs';
import {readConfig} from '../../config/load.ts';
import {version} from '../../config/version.ts';
import {errorKinds} from '../../core/errors.ts';
import type {Diagnosis, Finding, Verdict} from '../../doctor/index.ts';
import {type Act, examples} from '../command.ts';
import type {Result} from '../output.ts';
import {type Globals, type Session, socketPath} from '../session.ts';

/** By the worst that was found. docs/operations.md has them too. */
export const doctorExits: Record<Verdict, number> = {ok: 0, warn: 1, fail: errorKinds.config.exit};

export const doctorUsage = (yargs: Argv) =>
  yargs.usage(
    examples('doctor', ['cellar doctor', 'cellar doctor --json | jq \'.findings[] | select(.verdict != "ok")\'']),
  );

/** Looks at this host, with its own connections, and not through the agent. */
export const doctorHandler = (act: Act) => act(run);

async function run(session: Session, args: unknown): Promise<Result> {
  const {socket} = args as Globals;
  const {diagnose} = await import('../../doctor/index.ts');
  const config = readConfig(session.sources, {env: session.env});
  const signal =
    session.call.timeout === undefined
      ? session.signal
      : AbortSignal.any([session.signal, AbortSignal.timeout(session.call.timeout)]);
  const diagnosis = await diagnose({config, version, socket: socket ?? socketPath(session)}, signal);
  const {findings, verdict} = diagnosis;
  return {
    json: {schema: 1, ...diagnosis},
    ids: [...new Set(findings.filter(one => one.verdict !== 'ok').map(({check}) => check))],
    text: describe(diagnosis),
    alarming: ['fail', 'warn'],
    exit: doctorExits[verdict],
  };
}

/** A line for each finding, what mends it under it. The verdict stands first: it is what is painted. */
function describe({findings, skipped, verdict}: Diagnosis): string {
  const width = Math.max(...findings.map(({check}) => check.length), 0);
  const lines = findings.flatMap(finding => lineOf(finding, width));
  for (const {check, because} of skipped) lines.push(`-     ${check.padEnd(width)}  not looked at: ${because} failed`);
  const count = (wanted: Verdict) => findings.filter(one => one.verdict === wanted).length;
  lines.push('', `${verdict === 'ok' ? 'all is well' : `${count('fail')} failures, ${count('warn')} warnings`}`);
  return lines.map(line => `${line}\n`).join('');
}

function lineOf({check, verdict, seen, mend}: Finding, width: number): string[] {
  const flat = (text: string) => text.replaceAll(/\s+/g, ' ');
  const line = `${verdict.padEnd(4)}  ${check.padEnd(width)}  ${flat(seen)}`;
  return mend === undefined ? [line] : [line, `      ${' '.repeat(width)}    ${flat(mend)}`];
}
