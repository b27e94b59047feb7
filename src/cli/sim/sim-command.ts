/** `trefoil sim ...`: whole clusters on virtual time, under faults, from one seed each. */
import type { CommandModule } from 'yargs';
import { simBugsCommand } from './sim-bugs-command.js';
import { simHuntCommand } from './sim-hunt-command.js';
import { simListCommand } from './sim-list-command.js';
import { simReplayCommand } from './sim-replay-command.js';
import { simRunCommand } from './sim-run-command.js';
import { simTraceCommand } from './sim-trace-command.js';

export const simCommand: CommandModule = {
  command: 'sim',
  describe: 'simulate clusters under faults, hunt for seeds that break a promise',
  builder: (yargs) =>
    yargs
      .command(simRunCommand)
      .command(simHuntCommand)
      .command(simReplayCommand)
      .command(simTraceCommand)
      .command(simBugsCommand)
      .command(simListCommand)
      .demandCommand(1, 'name what to do: run, hunt, replay, trace, bugs or list'),
  handler: () => {},
};
