/**
 * A made-up album that looks like a real one: for the demo, for trials and for load.
 *
 * Few users own many photos and many own few; a user has one to three cameras and comes in outings of a few dozen
 * photos, whose scene decides tags, settings, colours and perceptual hash. So "similar" photos exist: those of one
 * scene. The same options give the same album, photo by photo, on every machine; asking for more photos only
 * appends.
 */
import { COLOUR_HISTOGRAM } from './image-features.js';
import type { Camera, NewPhoto, Settings } from './photo.js';

export interface AlbumOptions {
  readonly seed: number;
  readonly photos: number;
  /** At least 1; 50 where absent. */
  readonly users?: number;
  /** How many of the photos, evenly spread, bring a colour feature; none where absent. */
  readonly features?: number;
}

export interface GeneratedPhoto {
  readonly photo: NewPhoto & { readonly fingerprint: string };
  /** A vector of `COLOUR_HISTOGRAM`, made up and not counted from pixels. */
  readonly colour: Float32Array | undefined;
}

interface Scene {
  readonly name: string;
  readonly tags: readonly string[];
  readonly places: readonly string[];
  /** Light: 1 is a sunny noon, 0 a night. */
  readonly light: number;
}

interface Model extends Camera {
  readonly width: number;
  readonly height: number;
  readonly widestMm: number;
  readonly longestMm: number;
}

interface Owner {
  readonly name: string;
  readonly models: readonly Model[];
  /** When the next outing begins. */
  nextMs: number;
  outing: Outing | undefined;
}

interface Outing {
  readonly scene: Scene;
  readonly place: string;
  readonly model: Model;
  readonly latitude: number;
  readonly longitude: number;
  readonly hash: bigint;
  timeMs: number;
  left: number;
  count: number;
}

const SCENES: readonly Scene[] = [
  {
    name: 'Beach',
    tags: ['sea', 'sand', 'summer'],
    places: ['Biscarrosse', 'Zandvoort', 'Nazaré'],
    light: 1,
  },
  {
    name: 'Mountains',
    tags: ['hiking', 'snow', 'peak'],
    places: ['Zermatt', 'Tatra', 'Chamonix'],
    light: 0.9,
  },
  { name: 'Forest', tags: ['trees', 'autumn', 'walk'], places: ['Black Forest', 'Białowieża'], light: 0.5 },
  {
    name: 'City',
    tags: ['street', 'architecture'],
    places: ['Lisbon', 'Prague', 'Kyoto', 'Gent'],
    light: 0.7,
  },
  { name: 'Night', tags: ['lights', 'long-exposure'], places: ['Berlin', 'Hong Kong', 'Oslo'], light: 0.05 },
  { name: 'Birthday', tags: ['family', 'cake', 'indoor'], places: ['home', 'the garden'], light: 0.25 },
  { name: 'Football', tags: ['sport', 'friends'], places: ['the stadium', 'the park'], light: 0.6 },
  { name: 'Sunset', tags: ['sky', 'evening'], places: ['Santorini', 'Cabo da Roca'], light: 0.3 },
  { name: 'Cat', tags: ['pets', 'indoor'], places: ['home', 'the sofa'], light: 0.3 },
  { name: 'Museum', tags: ['art', 'indoor'], places: ['Louvre', 'Prado', 'Rijksmuseum'], light: 0.2 },
];

const model = (
  make: string,
  name: string,
  [width, height]: readonly [number, number],
  [widestMm, longestMm]: readonly [number, number],
): Model => ({ make, model: name, width, height, widestMm, longestMm });

const MODELS: readonly Model[] = [
  model('Canon', 'Canon EOS 5D Mark IV', [6720, 4480], [24, 105]),
  model('Canon', 'Canon PowerShot S40', [2272, 1704], [7, 21]),
  model('NIKON CORPORATION', 'NIKON D750', [6016, 4016], [24, 120]),
  model('NIKON', 'COOLPIX P6000', [4224, 3168], [6, 24]),
  model('SONY', 'ILCE-7M3', [6000, 4000], [28, 70]),
  model('FUJIFILM', 'X-T3', [6240, 4160], [16, 55]),
  model('Panasonic', 'DMC-FZ30', [3264, 2448], [7, 89]),
  model('OLYMPUS CORPORATION', 'E-M10MarkII', [4608, 3456], [14, 42]),
  model('Apple', 'iPhone 12', [4032, 3024], [4, 4]),
  model('Google', 'Pixel 6', [4080, 3072], [7, 7]),
  model('samsung', 'SM-G991B', [4000, 3000], [5, 7]),
];

const NAMES =
  'alice bruno chiara dmitri elif farid greta hiro ines jonas kofi lena mateo nadia olga pavel quinn rosa sven tara umar vera wim ximena yuki zoe'.split(
    ' ',
  );

const APERTURES = [1.8, 2, 2.8, 4, 5.6, 8, 11] as const;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const BEGIN_MS = 1_388_534_400_000; // 2014-01-01

/** The photos of a made-up album, one after another, in the order in which a household might upload them. */
export function* generateAlbum(options: AlbumOptions): Generator<GeneratedPhoto, void, undefined> {
  const { seed, photos, users = 50, features = 0 } = options;
  const random = new SeededRandom(seed);
  const palettes = SCENES.map(() => palette(random));
  const owners = Array.from({ length: users }, (_, i) => makeOwner(random, i));
  for (let i = 0; i < photos; i++) {
    // Squared, the low numbers come oftener: the first user owns a seventh of 50 users' photos.
    const owner = owners[Math.floor(random.next() ** 2 * users)] ?? makeOwner(random, 0);
    const outing = currentOuting(random, owner);
    const photo = makePhoto(random, owner, outing);
    const colour = vary(random, palettes[SCENES.indexOf(outing.scene)] ?? []);
    const wanted = Math.floor(((i + 1) * features) / photos) > Math.floor((i * features) / photos);
    yield { photo, colour: wanted ? colour : undefined };
  }
}

/** Mulberry32: 32 bits of state, the same on every machine. For made-up data only. */
class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to but not 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)] as T;
  }

  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.whole(0, 0xffff).toString(16).padStart(4, '0');
    return text.slice(0, digits);
  }
}

function makeOwner(random: SeededRandom, index: number): Owner {
  const round = Math.floor(index / NAMES.length);
  const name = NAMES[index % NAMES.length] ?? 'user';
  return {
    name: round === 0 ? name : `${name}${round + 1}`,
    models: Array.from({ length: random.whole(1, 3) }, () => random.pick(MODELS)),
    nextMs: BEGIN_MS + random.whole(0, 300) * DAY_MS,
    outing: undefined,
  };
}

function currentOuting(random: SeededRandom, owner: Owner): Outing {
  if (owner.outing === undefined || owner.outing.left === 0) {
    const scene = random.pick(SCENES);
    const beginMs = owner.nextMs + random.whole(8 * HOUR_MS, 18 * HOUR_MS);
    owner.nextMs += random.whole(2, 20) * DAY_MS;
    owner.outing = {
      scene,
      place: random.pick(scene.places),
      model: random.pick(owner.models),
      latitude: random.next() * 110 - 45,
      longitude: random.next() * 300 - 150,
      hash: BigInt(`0x${random.hex(16)}`),
      timeMs: beginMs,
      left: random.whole(4, 40),
      count: 0,
    };
  }
  const outing = owner.outing;
  outing.left--;
  outing.count++;
  outing.timeMs += random.whole(4000, 400_000);
  return outing;
}

function makePhoto(random: SeededRandom, owner: Owner, outing: Outing): GeneratedPhoto['photo'] {
  const { scene, place, model: camera, count } = outing;
  const upright = random.next() < 0.3;
  const year = 2014 + Math.floor((outing.timeMs - BEGIN_MS) / (365.25 * DAY_MS));
  return {
    user: owner.name,
    path: `${year}/${place} ${scene.name.toLowerCase()}/IMG_${String(random.whole(1, 9999)).padStart(4, '0')}.jpg`,
    // A JPEG of a camera has two to four bits a pixel.
    bytes: Math.round((camera.width * camera.height * (2 + 2 * random.next())) / 8),
    width: upright ? camera.height : camera.width,
    height: upright ? camera.width : camera.height,
    camera: { make: camera.make, model: camera.model },
    settings: makeSettings(random, outing),
    tags: scene.tags.filter(() => random.next() < 0.7),
    title: count === 1 ? `${scene.name}, ${place}` : `${scene.name}, ${place} (${count})`,
    perceptualHash: nearHash(random, outing.hash),
    note: null,
    fingerprint: random.hex(20),
  };
}

function makeSettings(random: SeededRandom, outing: Outing): Settings {
  const { model: camera, scene, timeMs } = outing;
  const fNumber = random.pick(APERTURES);
  const iso = 100 * 2 ** Math.round((1 - scene.light) * 5 * random.next());
  // The "sunny 16" rule, in whole parts of a second as cameras write them.
  const parts = Math.max(1, Math.round((scene.light + 0.01) * iso * (16 / fNumber) ** 2));
  const here = (degrees: number): number => Math.round((degrees + random.next() * 0.02) * 1e6) / 1e6;
  return {
    exposureTimeS: 1 / Math.min(8000, parts),
    fNumber,
    iso,
    focalLengthMm: random.whole(camera.widestMm, camera.longestMm),
    takenAtMs: timeMs,
    position:
      random.next() < 0.6
        ? { latitude: here(outing.latitude), longitude: here(outing.longitude), altitudeM: null }
        : null,
  };
}

/** The hash with up to six bits turned. */
function nearHash(random: SeededRandom, hash: bigint): string {
  let near = hash;
  for (let flips = random.whole(0, 6); flips > 0; flips--) near ^= 1n << BigInt(random.whole(0, 63));
  return near.toString(16).padStart(16, '0');
}

/** Shares of colours, a few strong and most weak. */
function palette(random: SeededRandom): readonly number[] {
  return Array.from({ length: COLOUR_HISTOGRAM.dimensions }, () => random.next() ** 6);
}

/** The palette as one photo shows it, in the form of `colourHistogram`. */
function vary(random: SeededRandom, shares: readonly number[]): Float32Array {
  const varied = shares.map((share) => share * (0.6 + 0.8 * random.next()));
  const sum = varied.reduce((a, b) => a + b, 0);
  return Float32Array.from(varied, (share) => Math.sqrt(share / sum));
}
