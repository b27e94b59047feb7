/**
 * `trefoil demo`: the whole story on three real node processes, in under 90 seconds. It ends with the proof,
 * and with exit code 1 where the proof fails. Whatever happens, no process and, unless `--keep` is given, no
 * file is left behind.
 */
import { randomBytes } from 'node:crypto';
import type { CommandModule } from 'yargs';
import { TrefoilError } from '../../core/errors.js';
import { connect } from '../../index.js';
import { PhotoStore } from '../../photos/index.js';
import { argumentsAs } from '../arguments.js';
import { cliContext } from '../context.js';
import { EXIT, endWith } from '../exit-codes.js';
import { shellWord } from '../get-command.js';
import { Ledger, recorded } from '../ledger.js';
import { readNodeStates, seeEachOther } from '../node-states.js';
import { folderSource, generatedSource, type AlbumSource } from './album-source.js';
import { bringBack, killAndGoOn, loseDisk } from './crash-acts.js';
import { DEMO_CLUSTER, DemoCluster } from './demo-cluster.js';
import { waitFor, type Stage } from './demo-stage.js';
import { killTheLeader, type FailOver } from './leader-act.js';
import { editAtOnce, lookAtPhotos } from './look-acts.js';
import { Narrator } from './narrator.js';
import { storeAlbum } from './store-act.js';
import { verify, type Outcome } from './verify-act.js';

interface Proof extends Outcome {
  readonly failOver: FailOver;
}

interface DemoArguments {
  readonly photos: string | undefined;
  readonly count: number;
  readonly keep: boolean;
  readonly json: boolean;
}

const COUNT_DEFAULT = 10_000;
const COUNT_MAX = 1_000_000;

export const demoCommand: CommandModule<object, DemoArguments> = {
  command: 'demo',
  describe: 'three nodes, an album, crashes, an election, and the proof that nothing was lost',
  builder: (yargs) =>
    argumentsAs<DemoArguments>(
      yargs
        .option('photos', {
          describe: 'the JPEG files of this folder, instead of a made-up album',
          type: 'string',
          requiresArg: true,
        })
        .option('count', {
          describe: 'photos to store',
          type: 'string',
          requiresArg: true,
          default: String(COUNT_DEFAULT),
          coerce: parseCount,
        })
        .option('keep', { describe: 'keep the data folder at the end', type: 'boolean', default: false })
        .option('json', {
          describe: 'tell the story on stderr and print the figures as JSON',
          type: 'boolean',
          default: false,
        }),
    ),
  handler: runDemo,
};

async function runDemo(argv: DemoArguments): Promise<void> {
  const context = cliContext(argv);
  const source =
    argv.photos === undefined ? generatedSource(argv.count) : await folderSource(argv.photos, argv.count);
  const narrator = new Narrator(argv.json ? process.stderr : process.stdout);
  const cluster = await DemoCluster.prepare();
  const interrupt = onInterrupt(narrator, cluster, argv.keep);
  try {
    const proof = await play(narrator, cluster, source);
    const { missing, differing, failOver } = proof;
    const whole =
      missing.length === 0 && differing.length === 0 && failOver.readBack === failOver.acknowledged;
    if (!whole) endWith(EXIT.failed);
    if (argv.keep) await cluster.stop();
    narrator.line();
    narrator.line(
      `${whole ? 'Nothing was lost.' : 'The proof failed.'} ${narrator.elapsedS.toFixed(1)} s in all.`,
    );
    tryNext(narrator, cluster, argv.keep);
    if (context.json) context.printJson({ ...proof, seconds: Number(narrator.elapsedS.toFixed(1)) });
  } catch (error) {
    narrator.interrupt();
    cluster.defects().forEach((defect) => context.note(defect));
    throw error;
  } finally {
    narrator.interrupt();
    await cluster.dispose(argv.keep);
    interrupt.over();
  }
}

async function play(narrator: Narrator, cluster: DemoCluster, source: AlbumSource): Promise<Proof> {
  narrator.act('Three nodes start');
  await cluster.start();
  const direct = await connect({ seeds: cluster.seeds, cluster: DEMO_CLUSTER });
  try {
    await waitFor('nodes that see each other', async () => seeEachOther(await readNodeStates(direct)));
    for (const { id, host, port } of direct.map.nodes)
      narrator.figure(id, `${host}:${port}, pid ${cluster.process(id as 'n1').pid}`);
    narrator.say('three replicas of everything, quorums of two, every write synced to disk');

    const ledger = new Ledger();
    const db = recorded(direct, ledger);
    const store = new PhotoStore(db, {
      now: () => Date.now(),
      newFingerprint: () => randomBytes(10).toString('hex'),
    });
    const stage: Stage = { narrator, cluster, db, ledger, store, source };
    const album = await storeAlbum(stage);
    await lookAtPhotos(stage, album);
    await editAtOnce(stage, album);
    await killAndGoOn(stage, album);
    await bringBack(stage);
    await loseDisk(stage);
    const failOver = await killTheLeader(stage, album);
    return { ...(await verify(stage)), failOver };
  } finally {
    await direct.close();
  }
}

/** What to type next, as it works from where the demo was started. */
function tryNext(narrator: Narrator, cluster: DemoCluster, keep: boolean): void {
  const trefoil = process.env['npm_lifecycle_event'] === 'demo' ? 'npm run -s trefoil --' : 'trefoil';
  const config = keep ? shellWord(cluster.configFile) : 'cluster-configs/local-3.yaml';
  narrator.line();
  narrator.line('Try next:');
  narrator.line(`  ${trefoil} cluster up --config ${config}`);
  if (keep) narrator.line(`  export TREFOIL_SEEDS=${cluster.seeds[0] ?? ''}`);
  narrator.line(`  ${trefoil} photos import ~/Pictures --user me`);
  narrator.line(`  ${trefoil} photos list --user me`);
  narrator.line(`  ${trefoil} put greeting hello && ${trefoil} get greeting --explain`);
  narrator.line(`  ${trefoil} cluster status --config ${config}`);
  narrator.line(`  ${trefoil} cluster down --config ${config}`);
}

/** Ctrl-C, or the end of this process for any other reason: cleans up, then ends. */
function onInterrupt(narrator: Narrator, cluster: DemoCluster, keep: boolean): { readonly over: () => void } {
  const onExit = (): void => cluster.disposeNow(keep);
  const onSignal = (signal: NodeJS.Signals): void => {
    narrator.interrupt();
    void cluster.dispose(keep).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.on('exit', onExit).on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    over: () => void process.off('exit', onExit).off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= COUNT_MAX) return count;
  throw new TrefoilError(
    'BadRequest',
    `--count must be a whole number from 1 to ${COUNT_MAX}, not "${text}"`,
  );
}
