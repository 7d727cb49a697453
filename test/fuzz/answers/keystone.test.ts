/** Whatever Keystone answers, the agent has a token and an endpoint, or an error that says so in a few words. */
import test from 'ava';
import fc from 'fast-check';
import {Session} from '../../../src/keystone/session.ts';
import {cellarUser, imageCatalog} from '../../helpers/fake-keystone.ts';
import {startServer} from '../../helpers/with-server.ts';
import {changed, changes, fuzz, nearlyJson, unpolluted} from '../fuzz.ts';
import {outcome} from './outcome.ts';

const never = new AbortController().signal;

const secrets = ['s3cr3t-password', 's3cr3t-token-1'];

const grant = {
  token: {
    issued_at: '2026-11-22T10:00:00.000000Z',
    expires_at: '2026-11-22T11:00:00.000000Z',
    methods: ['password'],
    catalog: imageCatalog('http://glance.example:9292'),
  },
};
const refusal = {error: {code: 401, title: 'Unauthorized', message: 'the password s3cr3t-password is wrong'}};

const answers = fc.record({
  body: fc.oneof(
    {weight: 3, arbitrary: nearlyJson(grant)},
    {weight: 1, arbitrary: nearlyJson(refusal)},
    {weight: 1, arbitrary: changes.map(list => changed('<html>s3cr3t-password</html>', list))},
  ),
  status: fc.constantFrom(201, 201, 201, 200, 300, 302, 400, 401, 403, 404, 409, 500, 503),
  token: fc.option(fc.constantFrom('', 's3cr3t-token-1', 'x'.repeat(9000)), {nil: null}),
});

test("whatever Keystone's answers hold, it is a token or an error, without the password and of a bounded length", async t => {
  let now: {body: string; status: number; token: string | null};
  await using server = await startServer((_, response) => {
    const headers = now.token === null ? {} : {'x-subject-token': now.token};
    response
      .writeHead(now.status, {...headers, location: 'http://u:s3cr3t-password@x/'})
      .end(Buffer.from(now.body, 'utf8'));
  });
  await fuzz(t, new URL('keystone-seeds.ndjson', import.meta.url), answers, async given => {
    now = given;
    const session = new Session(cellarUser(server.url), {retries: 0});
    try {
      const token = await outcome(secrets, () => session.token(never));
      if (token !== undefined && token !== given.token) throw new Error('a token that Keystone did not send');
      const url = await outcome(secrets, () =>
        session.endpoint({service_type: 'image', valid_interfaces: ['public']}, never),
      );
      if (url !== undefined && typeof url !== 'string') throw new Error('an endpoint that is no text');
      unpolluted();
    } finally {
      session.close();
    }
  });
});
