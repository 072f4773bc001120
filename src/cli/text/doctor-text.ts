import type { CheckView, DoctorView } from '../../desk/views.js';
import { oneLine } from '../../protocol/plain-text.js';

/** A line a check, what to do below those that are not ok. */
export function doctorText({ checks, problems, warnings }: DoctorView): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const summary =
    problems + warnings === 0 ? 'nothing is wrong' : `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}`;
  return `${[...checks.flatMap((check) => linesOf(check, width)), '', summary].join('\n')}\n`;
}

function linesOf({ name, state, detail, remedy }: CheckView, width: number): readonly string[] {
  const line = `${state.padEnd(8)} ${name.padEnd(width)}  ${oneLine(detail)}`;
  return remedy === null ? [line] : [line, `${' '.repeat(width + 11)}-> ${oneLine(remedy)}`];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
