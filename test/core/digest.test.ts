import crypto, {createHash} from 'node:crypto';
import {syncBuiltinESMExports} from 'node:module';
import test from 'ava';
import {formatDiskDigest, formOfDiskDigest, verifyDigests, wantedDigests} from '../../src/core/digest.ts';
import {CellarError} from '../../src/core/errors.ts';
import type {ImageRecord} from '../../src/core/image.ts';
import {imageId, record} from './facts.ts';

const data = Buffer.from('the bytes of an image');
const hash = (algo: string, of = data) => createHash(algo).update(of).digest('hex');

/** What a writer would answer to what is wanted, verified. */
function verify(changes: Partial<ImageRecord>) {
  const image = record({checksum: undefined, osHashAlgo: undefined, osHashValue: undefined, ...changes});
  const digests = Object.fromEntries(wantedDigests(image).map(algo => [algo, hash(algo)]));
  return {digests, verified: verifyDigests(image, digests)};
}

test("Glance's own hash is verified, and sha512 computed beside it", t => {
  const {digests, verified} = verify({
    osHashAlgo: 'sha256',
    osHashValue: hash('sha256'),
    checksum: 'not looked at',
  });
  t.deepEqual(digests, {sha512: hash('sha512'), sha256: hash('sha256')});
  t.true(verified);
});

test.serial('where OpenSSL has no md5, as in FIPS mode, the md5 checksum is not verified, and not computed', t => {
  const {getHashes} = crypto;
  t.teardown(() => {
    crypto.getHashes = getHashes;
    syncBuiltinESMExports();
  });
  crypto.getHashes = () => getHashes().filter(algo => algo !== 'md5');
  syncBuiltinESMExports();
  t.deepEqual(verify({checksum: hash('md5')}), {digests: {sha512: hash('sha512')}, verified: false});
});

test('with an algorithm nobody knows, the md5 checksum is verified instead', t => {
  t.true(verify({osHashAlgo: 'no-such', osHashValue: 'x', checksum: hash('md5')}).verified);
  t.throws(() => verify({osHashAlgo: 'no-such', osHashValue: 'x', checksum: hash('md5', Buffer.from('y'))}));
});

test('a digest without a length of its own is none that could be verified', t => {
  t.deepEqual(verify({osHashAlgo: 'shake256', osHashValue: 'x'}), {digests: {sha512: hash('sha512')}, verified: false});
});

test('with an algorithm without a value, the md5 checksum is verified', t => {
  t.deepEqual(verify({osHashAlgo: 'sha512', checksum: hash('md5')}).digests, {
    sha512: hash('sha512'),
    md5: hash('md5'),
  });
});

test('without any hash the bytes are taken, and said to be unverified', t => {
  t.deepEqual(verify({}), {digests: {sha512: hash('sha512')}, verified: false});
});

test('other bytes are refused, with both hashes told', t => {
  const error = t.throws(() => verify({osHashAlgo: 'sha512', osHashValue: 'abc'}), {instanceOf: CellarError});
  t.is(error.kind, 'corrupt');
  t.is(error.object, imageId);
  t.is(
    error.message,
    `Glance sent other bytes than image ${imageId}: their sha512 is ${hash('sha512')}, the record says abc`,
  );
});

test('the digest of a disk says how it was made; one of another form is no proof of damage', t => {
  const hex = hash('sha512');
  for (const form of ['whole', 'pieces'] as const) t.is(formOfDiskDigest(formatDiskDigest(form, hex)), form);
  for (const unknown of ['', `blake3-8MiB:${hex}`, `sha512-4MiB:${hex.slice(1)}`, hex.toUpperCase()])
    t.is(t.throws(() => formOfDiskDigest(unknown), {instanceOf: CellarError}).kind, 'internal', unknown);
});
