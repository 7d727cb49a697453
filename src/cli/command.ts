/** What the command files share. */
import type {Result} from './output.ts';
import type {Session} from './session.ts';

/** Makes yargs' handler of a function that only finds the result; main.ts opens its session and prints. */
export type Act = <Args>(run: (session: Session, args: Args) => Promise<Result>) => (args: Args) => Promise<void>;

/** The head of a help page: how it is called, then two examples, before all the options. */
export const examples = (usage: string, lines: [string, string]): string =>
  `Usage: cellar ${usage}\n\nExamples:\n${lines.map(line => `$ ${line}`).join('\n')}`;
