/* What the stand-in agent knows of services: some of the files of `providers/`, as the agent tells them. */
import type { ProfileView } from './backend';

type Told = Pick<ProfileView, 'name' | 'display_name' | 'protocol' | 'issuer'> & Partial<ProfileView>;

export const profile = (of: Told): ProfileView => ({
  unsupported: null, register_url: null, client_authentication: 'none', pkce: 'supported', redirect: 'any_port', scopes: [],
  access_lifetime_s: null, refresh_absolute_s: null, refresh_sliding_s: null, refresh_rotation: null, live_tokens_max: null,
  variables: [], revocation_way: null, revocation_effect: null, revocation_url: null, notes: [], sources: [], ...of,
});

export const PROFILES: ProfileView[] = [
  profile({
    name: 'generic-oauth2', display_name: 'OAuth 2.0 server', protocol: 'oauth2', issuer: '{issuer}',
    variables: [
      { name: 'authorization_endpoint', description: 'Full address of the authorization endpoint', default: null, choices: [] },
      { name: 'issuer', description: 'Origin of the server, such as https://login.example.com', default: null, choices: [] },
      { name: 'token_endpoint', description: 'Full address of the token endpoint', default: null, choices: [] },
    ],
    revocation_effect: 'Nothing is ended at the server: the tokens stay valid until they expire or until the person ends them there.',
    notes: [
      'Without a userinfo endpoint nothing says whose account it is, so give the account a name of your own.',
      'The standard asks a server to accept any port of a loopback redirect; many servers compare exactly, so a fixed port may have to be chosen.',
      'Scopes, further endpoints and lifetimes can be added by hand.',
    ],
  }),
  profile({
    name: 'generic-oidc', display_name: 'OpenID Connect provider', protocol: 'oidc', issuer: '{issuer}',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    variables: [
      { name: 'issuer', description: 'Issuer of the provider, exactly as it names itself, with or without a slash at the end', default: null, choices: [] },
    ],
    revocation_effect: 'The token that is sent ends when the server has a revocation endpoint; a self-contained access token may be accepted until it expires.',
    notes: [
      'The metadata has to be below the issuer at /.well-known/openid-configuration, and has to name exactly this issuer.',
      'The standard asks a server to accept any port of a loopback redirect; many servers compare exactly, so a fixed port may have to be chosen.',
      'Some servers give a refresh token only when consent is asked for, others without offline_access.',
      'Lifetimes of refresh tokens are mostly not in the answers; they can be declared by hand.',
    ],
  }),
  profile({
    name: 'github-oauth-app', display_name: 'GitHub (OAuth app)', protocol: 'oauth2', issuer: 'https://github.com/login/oauth',
    register_url: 'https://github.com/settings/applications/new',
    client_authentication: 'client_secret_post', scopes: ['read:user'], live_tokens_max: 10, revocation_way: 'github',
    revocation_effect: 'The token ends at once, or, when the grant is deleted, every token of this app for the account; other apps stay signed in.',
    revocation_url: 'https://github.com/settings/applications',
    notes: [
      'There is no refresh token: the access token has no end of its own, but GitHub ends it after a year without use.',
      'A person can have ten tokens for one app and one set of scopes; an eleventh sign-in ends the oldest one without a message.',
      'Not more than ten tokens can be made in an hour for one person, app and set of scopes.',
      'Register the loopback redirect with 127.0.0.1 and a path; the port is then free.',
      'The token endpoint answers as a form unless the request asks for JSON, and reports errors with status 200.',
      'The scopes of the answer are separated by commas.',
    ],
  }),
  profile({
    name: 'google', display_name: 'Google', protocol: 'oidc', issuer: 'https://accounts.google.com',
    register_url: 'https://console.cloud.google.com/apis/credentials',
    client_authentication: 'client_secret_post', scopes: ['openid', 'email', 'profile'], access_lifetime_s: 3600, refresh_sliding_s: 15552000, live_tokens_max: 100, refresh_rotation: 'never',
    revocation_effect: 'The whole grant of this app ends at once, with its refresh token and all its access tokens; other apps of the account stay signed in.',
    revocation_url: 'https://myaccount.google.com/connections',
    notes: [
      'Register a client of the type Desktop app; its secret is not confidential, but the token endpoint still asks for it.',
      'While the consent screen is external and in testing, a refresh token ends after seven days, unless only the basic profile scopes are asked for.',
      'A refresh token that is not used for six months ends.',
      'When an account has about 100 live refresh tokens of one client, the next sign-in ends the oldest one without a message.',
      'A change of the password ends tokens that hold Gmail scopes.',
      'A Workspace administrator can force a new sign-in; the refresh then fails with invalid_grant and the subtype invalid_rapt or rapt_required.',
    ],
  }),
  profile({
    name: 'keycloak', display_name: 'Keycloak', protocol: 'oidc', issuer: 'https://{host}/realms/{realm}',
    register_url: 'https://{host}/admin/{realm}/console/',
    scopes: ['openid', 'profile', 'email', 'offline_access'], access_lifetime_s: 300, refresh_sliding_s: 2592000, refresh_rotation: 'sometimes',
    variables: [
      { name: 'host', description: 'Host of the server, with the path before /realms when it has one', default: null, choices: [] },
      { name: 'realm', description: 'Name of the realm', default: null, choices: [] },
    ],
    revocation_effect: 'Revoking the refresh token ends the session of this client, or the offline session; access tokens that are checked locally stay valid until they expire.',
    notes: [
      'The numbers are the defaults of a new realm; its administrator can change all of them.',
      'With offline_access the refresh token ends after 30 days without use and has no maximum by default.',
      'Without offline_access it ends with the browser session: after 30 minutes without use, and after 10 hours at the latest.',
      'The client needs the optional scope offline_access and the person the role of the same name.',
      'Register the redirect without a port, as http://127.0.0.1/path or http://localhost/path, and any port is accepted; a redirect that is registered with a port, or to the IPv6 loopback address, is compared with its port.',
      'Every refresh is answered with a refresh token; the one before is ended only when the realm revokes used refresh tokens.',
    ],
  }),
  profile({
    name: 'microsoft-entra-work', display_name: 'Microsoft (work or school)', protocol: 'oidc', issuer: 'https://login.microsoftonline.com/{tenant}/v2.0',
    register_url: 'https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade',
    scopes: ['openid', 'profile', 'email', 'offline_access'], refresh_sliding_s: 7776000, refresh_rotation: 'always',
    variables: [
      { name: 'tenant', description: 'Directory (tenant) id, a GUID, which the portal shows under Overview; or organizations, common or consumers', default: null, choices: [] },
    ],
    revocation_effect: 'All refresh tokens and browser sessions of the user end within a few minutes, for every app and not only this one; access tokens stay valid until they expire.',
    revocation_url: 'https://myaccount.microsoft.com/',
    notes: [
      'With a directory id (a GUID) accounts of this tenant alone can sign in, and the issuer is exact.',
      'With organizations those of every company and school can, with common personal accounts too, with consumers personal accounts alone; the registration has to allow them.',
      'A multi-tenant app needs the consent of each company; some companies let only an administrator give it.',
      'Register the redirect http://localhost as a mobile and desktop application; the port is not compared.',
      'The loopback address 127.0.0.1 can be added only in the manifest, and the IPv6 one is not supported.',
      'A redirect that is registered as a single-page application gives refresh tokens that end 24 hours after the sign-in and cannot be prolonged; so do sign-ins with a one-time passcode by e-mail.',
    ],
  }),
  profile({
    name: 'notion', display_name: 'Notion', protocol: 'oauth2', issuer: 'https://api.notion.com',
    unsupported: 'Notion wants a header of its own with each call about the person, and one person has several workspaces.',
    register_url: 'https://www.notion.so/developers/connections',
    client_authentication: 'client_secret_basic', redirect: 'fixed', pkce: 'unsupported', refresh_rotation: 'always',
    revocation_effect: 'The access token that is sent ends; what becomes of its refresh token is not published.',
    notes: [
      'Requests to the token, revocation and introspection endpoints are documented with a JSON body.',
      'A refresh brings a new access token and a new refresh token.',
      'How long the tokens live is not published, and the answer holds no expires_in.',
      'Older connections have an access token without an end and no refresh token.',
      'There are no scopes: the connection has capabilities, and the person chooses the pages.',
      'The API wants the header Notion-Version with every call, also for the userinfo address.',
    ],
  }),
  profile({
    name: 'okta', display_name: 'Okta', protocol: 'oidc', issuer: 'https://{domain}/oauth2/{server}',
    redirect: 'fixed', pkce: 'required', scopes: ['openid', 'profile', 'email', 'offline_access'], access_lifetime_s: 3600, refresh_sliding_s: 604800, refresh_rotation: 'sometimes',
    variables: [
      { name: 'domain', description: 'Okta domain of the organization, such as example.okta.com', default: null, choices: [] },
      { name: 'server', description: 'Id of the custom authorization server', default: 'default', choices: [] },
    ],
    revocation_effect: 'Revoking the refresh token ends it and its access tokens; revoking only an access token leaves the refresh token valid.',
    notes: [
      'An administrator registers the program in the admin console as an OIDC app of the type native.',
      'The org authorization server has the bare domain as its issuer; use the profile for any OpenID Connect provider for it.',
      'An access token of the org authorization server cannot be checked locally, because the keys for it are not published.',
      'By default a refresh token has no absolute end, but it ends after seven days without use; the access policy can set other values.',
      'A native app keeps its refresh token by default; an administrator can switch rotation on.',
      'With rotation the refresh token before stays usable for a grace time of 30 seconds by default (0 to 60); a later use ends the newest one too.',
    ],
  }),
  profile({
    name: 'superoffice', display_name: 'SuperOffice CRM Online', protocol: 'oidc', issuer: 'https://{env}.superoffice.com',
    redirect: 'fixed', scopes: ['openid'], access_lifetime_s: 1200, refresh_rotation: 'never',
    variables: [
      { name: 'env', description: 'Environment: online is production, qaonline is stage, sod is development', default: 'online', choices: ['online', 'sod', 'qaonline'] },
    ],
    revocation_effect: 'The refresh token ends at once, and so does an access token that is a reference token; the consent of the customer stays until an administrator withdraws it.',
    notes: [
      'The issuer has no /login, but the metadata and all endpoints have it, so the metadata is not at the usual place.',
      'Always send the PKCE method S256: without it the server takes plain.',
      'Only the scope openid counts; it gives a refresh token too.',
      'A native program needs no secret with PKCE; its redirect has to begin with http://127.0.0.1 or the IPv6 loopback address, with the port, and is compared exactly.',
      'The refresh token is used again and again and lives as long as the consent of the customer; a refresh brings no new one.',
      'Sources name 20 minutes, one hour and 300 seconds for the access token, so what the answer says counts.',
    ],
  }),
  profile({
    name: 'yahoo', display_name: 'Yahoo', protocol: 'oidc', issuer: 'https://api.login.yahoo.com',
    register_url: 'https://developer.yahoo.com/apps/create/',
    client_authentication: 'client_secret_basic', redirect: 'https_only', pkce: 'unsupported', scopes: ['openid', 'profile', 'email'], access_lifetime_s: 3600, refresh_rotation: 'sometimes',
    revocation_effect: 'The token that is sent ends; what becomes of the other tokens of the sign-in is not published.',
    notes: [
      'A redirect has to be https, or the word oob, with which Yahoo shows the code and the person copies it.',
      'A redirect to https on localhost with a port is reported to work.',
      'Neither the guide nor the metadata names PKCE, so the client needs its secret.',
      'The refresh token may change with a refresh, so the newest one has to be kept.',
      'A change of the password ends all refresh tokens.',
      'Scopes for mail need the approval of Yahoo.',
    ],
  }),
  profile({
    name: 'zoho', display_name: 'Zoho', protocol: 'oauth2', issuer: 'https://accounts.zoho.{dc}',
    register_url: 'https://api-console.zoho.com/',
    client_authentication: 'client_secret_post', redirect: 'fixed', pkce: 'unsupported', scopes: ['AaaServer.profile.READ'], access_lifetime_s: 3600, live_tokens_max: 20, refresh_rotation: 'never',
    variables: [
      { name: 'dc', description: 'Ending of the domain of the data centre', default: 'com', choices: ['com', 'eu', 'in', 'com.au', 'jp', 'uk', 'sa', 'com.cn'] },
    ],
    revocation_effect: 'The refresh token ends at once, and with it every access token made from it.',
    notes: [
      'A client works in one data centre, unless Multi DC is switched on in the API console.',
      'The answer to the authorization request names the data centre of the person as location and accounts-server.',
      'A person can have 20 refresh tokens; the next one ends the oldest without a message.',
      'A refresh token can have 30 live access tokens, and not more than ten can be made in ten minutes.',
      'A refresh token comes only with offline access, and again only when consent is asked for again.',
      'Scopes are separated by commas.',
    ],
  }),
];
