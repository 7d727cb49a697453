/** Who sends a request: a token that Keystone knows, a certificate that our authorities vouch for, or both. */
import type {IncomingMessage} from 'node:http';
import {TLSSocket} from 'node:tls';
import {Refusal} from '../api/problem.ts';
import {requesterOf} from '../api/request.ts';
import {CellarError} from '../core/errors.ts';
import type {TokenFacts} from '../keystone/validate.ts';
import {administrator, type Caller, callerOfToken, hostsOf, type TokenRules} from './policy.ts';

export type Identification = {
  auth: 'token' | 'certificate' | 'both';
  /** undefined where no token counts. */
  validate: ((token: string, signal: AbortSignal) => Promise<TokenFacts>) | undefined;
  rules: TokenRules;
  /** A certificate is good for the hosts that it names only. */
  certificateNamesHost: boolean;
};

/**
 * `unauthorized` or `forbidden` for whoever is nobody here. Who only reads may be an administrator too, whose token suffices
 * where both are asked for: operators have no certificate of each host.
 */
export async function identify(
  request: IncomingMessage,
  {auth, validate, rules, certificateNamesHost}: Identification,
  {reads}: {reads: boolean},
  signal: AbortSignal,
): Promise<Caller> {
  const show = () => (auth === 'token' ? undefined : certificateOf(request, certificateNamesHost));
  const early = auth === 'both' && reads ? undefined : show();
  if (validate === undefined || auth === 'certificate') {
    const shown = early ?? show();
    if (shown === undefined) throw new CellarError('config', '[registrar] auth asks for tokens, and no login is set');
    return shown;
  }
  const {token} = requesterOf(request, '');
  if (token === undefined) {
    throw new Refusal(401, 'unauthorized', 'the request has no X-Auth-Token', {
      hint: 'send a token of a service user',
      headers: {'WWW-Authenticate': 'Keystone'},
    });
  }
  const facts = await validate(token, signal);
  const operator = reads ? administrator(facts) : undefined;
  if (operator !== undefined) return operator;
  const caller = callerOfToken(facts, rules);
  const shown = early ?? show();
  return shown === undefined ? caller : {...shown, by: `${caller.by}, ${shown.by}`};
}

function certificateOf({socket}: IncomingMessage, namesHost: boolean): Caller {
  const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
  if (certificate === undefined || Object.keys(certificate).length === 0) {
    throw new CellarError('unauthorized', 'no client certificate was shown that an accepted authority vouches for', {
      hint: 'set [registrar] certfile and keyfile of the agent; see [registrar] client_ca of the registrar',
    });
  }
  const hosts = hostsOf(certificate);
  const by = `certificate ${hosts[0] ?? 'of no host'} (serial ${certificate.serialNumber})`;
  return namesHost ? {by, hosts} : {by};
}
