/** `trefoil sim list`: the experiments that come along, or the planted bugs, and what each is about. */
import type { CommandModule } from 'yargs';
import { PLANTED_BUGS } from '../../../chaos/bugs/bugs.js';
import { loadAllExperiments } from '../../../chaos/experiments/library.js';
import { cliContext } from '../context.js';
import { tableLines } from '../table.js';

interface ListArguments {
  readonly json: boolean;
  readonly bugs: boolean;
}

export const simListCommand: CommandModule<object, ListArguments> = {
  command: 'list',
  describe: 'name the experiments that come along',
  builder: (yargs) =>
    yargs
      .option('bugs', { describe: 'the planted bugs instead', type: 'boolean', default: false })
      .option('json', { describe: 'one JSON document', type: 'boolean', default: false }),
  handler: (argv) => {
    const context = cliContext(argv);
    const named = argv.bugs ? PLANTED_BUGS : loadAllExperiments();
    if (context.json) {
      context.printJson(named.map(({ name, summary }) => ({ name, summary })));
      return;
    }
    const columns = [{ title: argv.bugs ? 'bug' : 'experiment' }, { title: 'what it is about' }];
    tableLines(
      columns,
      named.map(({ name, summary }) => [name, summary]),
    ).forEach((line) => context.print(line));
  },
};
