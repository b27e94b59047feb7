/**
 * Reading photo files: made-up JPEGs, good and broken in each way, and the real photographs beside the project
 * where they are present. Every file is either read or named with a reason; nothing ever throws.
 */
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPhotos } from '../../src/cli/find-photos.js';
import { cleanText } from '../../src/cli/clean-text.js';
import { fileReason } from '../../src/cli/file-reason.js';
import { readPhoto, type PhotoReading } from '../../src/cli/read-photo.js';
import { TrefoilError } from '../../src/index.js';
import { hashDistance } from '../../src/photos/index.js';

const SHARED = '../shared/photos';

let folder: string;
let good: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trefoil-read-photo-'));
  good = await picture().jpeg({ quality: 90 }).toBuffer();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** 200 x 120, with something in it at every scale. */
function picture(): Sharp {
  const width = 200;
  const height = 120;
  const rgb = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      rgb[at] = 128 + 120 * Math.sin(x / 20);
      rgb[at + 1] = 128 + 100 * Math.cos((x + y) / 30);
      rgb[at + 2] = 128 + 90 * Math.sin((x * y) / 1500);
    }
  }
  return sharp(rgb, { raw: { width, height, channels: 3 } });
}

async function readBytes(name: string, bytes: Uint8Array): Promise<PhotoReading> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return readPhoto(path);
}

async function readGood(name: string, bytes: Uint8Array) {
  const reading = await readBytes(name, bytes);
  if (reading.type !== 'read') throw new Error(`${name}: ${reading.reason}`);
  return reading;
}

async function reasonFor(name: string, bytes: Uint8Array): Promise<string> {
  const reading = await readBytes(name, bytes);
  return reading.type === 'read' ? 'it was read' : reading.reason;
}

/** The JPEG with other bytes in place of a text that occurs in it. */
function replaced(jpeg: Buffer, text: string, by: string): Buffer {
  const copy = Buffer.from(jpeg);
  const at = copy.indexOf(text, 0, 'latin1');
  if (at < 0) throw new Error(`no ${text} in the file`);
  copy.write(by, at, 'latin1');
  return copy;
}

describe('a good JPEG', () => {
  it('is read: size, hash, colours, title, and a note that it has no EXIF data', async () => {
    const { photo, colour } = await readGood('On the beach.jpg', good);
    expect(photo).toMatchObject({
      bytes: good.length,
      width: 200,
      height: 120,
      camera: null,
      tags: [],
      title: 'On the beach',
      note: 'no EXIF data',
      settings: { takenAtMs: null, iso: null, position: null },
    });
    expect(photo.perceptualHash).toMatch(/^[0-9a-f]{16}$/);
    expect(photo.fingerprint).toMatch(/^[0-9a-f]{20}$/);
    expect(colour).toHaveLength(64);
    expect(Math.hypot(...colour)).toBeCloseTo(1, 5);
  });

  it('has the same fingerprint under another name, and another one with other content', async () => {
    const one = await readGood('one.jpg', good);
    const two = await readGood('two.jpg', good);
    const other = await readGood('three.jpg', await picture().jpeg({ quality: 89 }).toBuffer());
    expect(two.photo.fingerprint).toBe(one.photo.fingerprint);
    expect(other.photo.fingerprint).not.toBe(one.photo.fingerprint);
  });

  it('keeps its perceptual hash when it is made smaller and compressed harder', async () => {
    const small = await picture().resize(90).jpeg({ quality: 40 }).toBuffer();
    const flipped = await picture().flop().jpeg().toBuffer();
    const { photo } = await readGood('large.jpg', good);
    const hashOf = async (name: string, bytes: Buffer): Promise<string> =>
      (await readGood(name, bytes)).photo.perceptualHash;
    expect(hashDistance(photo.perceptualHash, await hashOf('small.jpg', small))).toBeLessThanOrEqual(6);
    expect(hashDistance(photo.perceptualHash, await hashOf('flipped.jpg', flipped))).toBeGreaterThan(15);
  });

  it('is seen as it is shown: turned as EXIF asks', async () => {
    const upright = await readGood(
      'upright.jpg',
      await picture().rotate(90).jpeg({ quality: 95 }).toBuffer(),
    );
    const lying = await picture().withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toBuffer();
    const turned = await readGood('turned.jpg', lying);
    expect(turned.photo).toMatchObject({ width: 120, height: 200 });
    expect(hashDistance(turned.photo.perceptualHash, upright.photo.perceptualHash)).toBeLessThanOrEqual(4);
  });

  it('may be grey or CMYK', async () => {
    const grey = await readGood('grey.jpg', await picture().greyscale().jpeg().toBuffer());
    const cmyk = await readGood('cmyk.jpg', await picture().toColourspace('cmyk').jpeg().toBuffer());
    expect(grey.colour).toHaveLength(64);
    expect(cmyk.colour).toHaveLength(64);
  });
});

describe('EXIF', () => {
  const withExif = (more: Record<string, string> = {}, gps: Record<string, string> = {}): Promise<Buffer> =>
    picture()
      .withExif({
        IFD0: { Make: 'ACME  Corp.', Model: 'Box 1' },
        IFD2: {
          DateTimeOriginal: '2008:05:30 15:56:01',
          ExposureTime: '1/160',
          FNumber: '71/10',
          ISOSpeedRatings: '400',
          FocalLength: '135/1',
          ...more,
        },
        IFD3: gps,
      })
      .jpeg()
      .toBuffer();

  it('gives camera, settings and the time of taking', async () => {
    const gps = {
      GPSLatitudeRef: 'S',
      GPSLatitude: '43/1 30/1 0/1',
      GPSLongitudeRef: 'E',
      GPSLongitude: '11/1 45/1 0/1',
    };
    const { photo } = await readGood('exif.jpg', await withExif({}, gps));
    expect(photo.camera).toEqual({ make: 'ACME Corp.', model: 'Box 1' });
    expect(photo.settings).toEqual({
      exposureTimeS: 1 / 160,
      fNumber: 7.1,
      iso: 400,
      focalLengthMm: 135,
      takenAtMs: Date.UTC(2008, 4, 30, 15, 56, 1),
      position: { latitude: -43.5, longitude: 11.75, altitudeM: null },
    });
    expect(photo.note).toBeNull();
  });

  it.each([
    ['+02:00', Date.UTC(2008, 4, 30, 13, 56, 1)],
    ['-05:30', Date.UTC(2008, 4, 30, 21, 26, 1)],
    ['nonsense', Date.UTC(2008, 4, 30, 15, 56, 1)],
  ])('counts the offset %s', async (offset, takenAtMs) => {
    const { photo } = await readGood('offset.jpg', await withExif({ OffsetTimeOriginal: offset }));
    expect(photo.settings.takenAtMs).toBe(takenAtMs);
  });

  it.each(['0000:00:00 00:00:00', '2008:02:31 10:00:00', '2008:05:30 25:00:00', '    :  :     :  :  '])(
    'takes %j for no date',
    async (date) => {
      const { photo } = await readGood('date.jpg', replaced(await withExif(), '2008:05:30 15:56:01', date));
      expect(photo.settings.takenAtMs).toBeNull();
      expect(photo.camera).not.toBeNull();
    },
  );

  it('takes a fraction of nothing for unknown', async () => {
    const { photo } = await readGood('zero.jpg', await withExif({ FNumber: '0/0', ExposureTime: '1/0' }));
    expect(photo.settings).toMatchObject({ fNumber: null, exposureTimeS: null, iso: 400 });
  });

  it('stores a photo whose block is broken, without a camera and with a note', async () => {
    const jpeg = await withExif();
    const at = jpeg.indexOf('Exif\0\0', 0, 'latin1') + 6;
    const noTiff = Buffer.from(jpeg).fill('garbage!', at, at + 40);
    const pointsAway = Buffer.from(jpeg).fill(0xff, at + 4, at + 8);
    for (const [name, bytes] of Object.entries({ noTiff, pointsAway })) {
      const { photo } = await readGood(`${name}.jpg`, bytes);
      expect(photo.camera, name).toBeNull();
      expect(photo.note, name).toMatch(/EXIF/);
      expect(photo).toMatchObject({ width: 200, height: 120 });
    }
  });

  it('survives every single broken byte of the block', async () => {
    const jpeg = await withExif();
    const at = jpeg.indexOf('Exif\0\0', 0, 'latin1') + 6;
    for (let i = at; i < at + 200; i += 3) {
      const broken = Buffer.from(jpeg);
      broken[i] = (broken[i] ?? 0) ^ 0xff;
      const reading = await readBytes('byte.jpg', broken);
      expect(reading.type, `byte ${i}`).toBe('read');
    }
  });
});

describe('an unreadable file has one reason', () => {
  it('empty', async () => {
    expect(await reasonFor('empty.jpg', new Uint8Array(0))).toBe('the file is empty');
  });

  it.each([
    ['text', 'hello, I am no picture', 'not a JPEG file'],
    ['one byte', '\xff', 'not a JPEG file'],
    ['a web page', '<!DOCTYPE html><title>404</title>', 'not a JPEG file but a web page'],
    ['a GIF', 'GIF89a\x01\x00\x01\x00', 'not a JPEG file but a GIF'],
    ['the first bytes of a JPEG alone', '\xff\xd8', 'truncated: the picture ends too early'],
  ])('%s', async (_, content, reason) => {
    expect(await reasonFor('text.jpg', Buffer.from(content, 'latin1'))).toBe(reason);
  });

  it('another format that could be decoded', async () => {
    expect(await reasonFor('png.jpg', await picture().png().toBuffer())).toBe('not a JPEG file but a PNG');
    expect(await reasonFor('webp.jpg', await picture().webp().toBuffer())).toBe('not a JPEG file but a WebP');
  });

  it('truncated, wherever it ends', async () => {
    for (const share of [0.02, 0.1, 0.5, 0.9, 0.99]) {
      const reason = await reasonFor('cut.jpg', good.subarray(0, Math.floor(good.length * share)));
      expect(reason, `at ${share}`).toMatch(
        /^(truncated: the picture ends too early|broken: no picture in it)$/,
      );
    }
    expect(await reasonFor('half.jpg', good.subarray(0, good.length / 2))).toMatch(/^truncated/);
  });

  it('a broken header', async () => {
    const at = good.indexOf(Buffer.from([0xff, 0xc0])) + 5;
    const noHeight = Buffer.from(good).fill(0, at, at + 2);
    expect(await reasonFor('header.jpg', noHeight)).toMatch(/^broken: /);
  });

  it('absent, a folder, a link to nowhere', async () => {
    await mkdir(join(folder, 'folder.jpg'), { recursive: true });
    await symlink(join(folder, 'nowhere'), join(folder, 'link.jpg'));
    for (const [name, reason] of [
      ['absent.jpg', 'no such file'],
      ['folder.jpg', 'it is a folder'],
      ['link.jpg', 'no such file'],
    ] as const)
      expect(await readPhoto(join(folder, name))).toEqual({ type: 'unreadable', reason });
  });

  it('not permitted', () => {
    // Made by hand: the tests may run as root, whom no permission stops.
    const error = Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: 'EACCES' });
    expect(fileReason(error)).toBe('no permission to read it');
  });
});

describe('superfluous bytes, of which the decoder only warns', () => {
  it('are told, and are no failure', async () => {
    const scan = good.lastIndexOf(Buffer.from([0xff, 0xda]));
    const extra = Buffer.concat([good.subarray(0, scan), Buffer.from([0x12, 0x34]), good.subarray(scan)]);
    const { photo, warning } = await readGood('extra.jpg', extra);
    expect(warning).toBe('Corrupt JPEG data: 2 extraneous bytes before marker 0xda');
    expect(photo.note).toBe(`no EXIF data; decoder warned: ${warning}`);
    expect((await readGood('clean.jpg', good)).warning).toBeNull();
  });
});

describe('many files at once', () => {
  it('each keep the reason and the warning that are theirs', async () => {
    const scan = good.lastIndexOf(Buffer.from([0xff, 0xda]));
    const at = good.indexOf(Buffer.from([0xff, 0xc0])) + 5;
    const kinds = {
      good: good,
      cut: good.subarray(0, good.length / 2),
      extra: Buffer.concat([good.subarray(0, scan), Buffer.from([0x12, 0x34]), good.subarray(scan)]),
      header: Buffer.from(good).fill(0, at, at + 2),
    };
    const alone = new Map<string, PhotoReading>();
    for (const [kind, bytes] of Object.entries(kinds))
      alone.set(kind, await readBytes(`many-${kind}.jpg`, bytes));
    expect(alone.get('cut')).toEqual({
      type: 'unreadable',
      reason: 'truncated: the picture ends too early',
    });
    expect(alone.get('header')).toMatchObject({
      reason: expect.stringMatching(/^broken: Empty JPEG image/) as string,
    });
    expect(alone.get('extra')).toMatchObject({ warning: expect.stringMatching(/extraneous/) as string });
    const names = Array.from({ length: 100 }, (_, i) => Object.keys(kinds)[((i * i) % 7) % 4] ?? 'good');
    const readings = await Promise.all(names.map((kind) => readPhoto(join(folder, `many-${kind}.jpg`))));
    names.forEach((kind, i) => expect(readings[i], `${i}: ${kind}`).toEqual(alone.get(kind)));
  });
});

describe('cleanText', () => {
  it.each([
    ['RICOH      \0\0', 'RICOH'],
    ['a\u001b[31mred\n', 'a [31mred'],
    ['half \ud800 tie', 'half \ufffd tie'],
    ['1234567890abc', '1234567890'],
    ['123456789😀', '123456789'],
  ])('%j becomes %j', (text, clean) => {
    expect(cleanText(text, 10)).toBe(clean);
  });
});

describe('findPhotos', () => {
  it('looks through folders, by extension, in order, and follows no link to a folder', async () => {
    const root = join(folder, 'tree');
    await mkdir(join(root, 'b', 'c'), { recursive: true });
    for (const name of ['z.JPG', 'a.jpeg', 'notes.txt', 'b/m.jpe', 'b/c/n.jfif', 'b/raw.nef'])
      await writeFile(join(root, name), 'x');
    await symlink(root, join(root, 'b', 'loop'));
    await symlink(root, join(root, 'loop.jpg'));
    await symlink(join(root, 'z.JPG'), join(root, 'b', 'y.jpg'));
    await symlink(join(root, 'gone'), join(root, 'broken.jpg'));
    const found = await findPhotos(root);
    expect(found.photos.map(({ relativePath }) => relativePath)).toEqual([
      'a.jpeg',
      'b/c/n.jfif',
      'b/m.jpe',
      'b/y.jpg',
      'broken.jpg',
      'z.JPG',
    ]);
    expect(found.ignored).toBe(4);
    expect(found.unreadable).toEqual([]);
  });

  it('takes one file, and refuses what is not there', async () => {
    const path = join(folder, 'single.jpg');
    await writeFile(path, good);
    expect((await findPhotos(path)).photos).toEqual([{ path, relativePath: 'single.jpg' }]);
    await expect(findPhotos(join(folder, 'no-such'))).rejects.toThrow(TrefoilError);
  });
});

/** None: the EXIF blocks in `invalid/` are broken or missing, their pixels are whole. */
const UNREADABLE: readonly string[] = [];

/** Those whose file names no camera, and what their note says. */
const WITHOUT_CAMERA = {
  'Canon_40D_photoshop_import.jpg': 'EXIF data without a camera',
  'PaintTool_sample.jpg': 'EXIF data without a camera',
  'invalid/BlueSquare.jpg': 'EXIF data without a camera',
  'invalid/image01551.jpg': 'no EXIF data',
  'invalid/image01713.jpg': 'no EXIF data',
  'long_description.jpg': 'EXIF data without a camera',
  'olympus-d320l.jpg': 'no EXIF data',
  'sony-powershota5.jpg': 'no EXIF data',
};

describe.skipIf(!existsSync(SHARED))('the real photographs beside the project', () => {
  const readings = new Map<string, PhotoReading>();

  beforeAll(async () => {
    for (const { path } of (await findPhotos(SHARED)).photos)
      readings.set(relative(SHARED, path), await readPhoto(path));
  });

  it('are all found, and each is read or named as expected', async () => {
    const files = (await readdir(SHARED, { recursive: true })).filter((name) => name.endsWith('.jpg'));
    expect([...readings.keys()].toSorted()).toEqual(files.toSorted());
    const unreadable = [...readings].filter(([, reading]) => reading.type === 'unreadable');
    expect(unreadable.map(([name]) => name)).toEqual(UNREADABLE);
  });

  it('have a camera, or a note that says why not', () => {
    const notes = [...readings].flatMap(([name, reading]) =>
      reading.type === 'read' && reading.photo.camera === null ? [[name, reading.photo.note]] : [],
    );
    expect(Object.fromEntries(notes)).toEqual(WITHOUT_CAMERA);
  });

  it('say what their cameras wrote', () => {
    const read = (name: string): unknown => {
      const reading = readings.get(name);
      return reading?.type === 'read' ? reading.photo : reading;
    };
    expect(read('Canon_40D.jpg')).toMatchObject({
      camera: { make: 'Canon', model: 'Canon EOS 40D' },
      settings: { exposureTimeS: 1 / 160, fNumber: 7.1, iso: 100, focalLengthMm: 135 },
    });
    expect(read('Kodak_CX7530.jpg')).toMatchObject({
      settings: { iso: null, position: { latitude: expect.closeTo(-0.3713, 6) as number } },
    });
    expect(read('Ricoh_Caplio_RR330.jpg')).toMatchObject({ camera: { make: 'Caplio', model: 'RR330' } });
    expect(read('fujifilm-dx10.jpg')).toMatchObject({ settings: { exposureTimeS: null, fNumber: 4.2 } });
  });

  it('are named when they are cut off', async () => {
    const bytes = await readFile(join(SHARED, 'DSCN0010.jpg'));
    expect(await reasonFor('cut-real.jpg', bytes.subarray(0, 40_000))).toMatch(/^truncated/);
    await copyFile(join(SHARED, 'DSCN0010.jpg'), join(folder, 'whole-real.jpg'));
    expect((await readPhoto(join(folder, 'whole-real.jpg'))).type).toBe('read');
  });
});
