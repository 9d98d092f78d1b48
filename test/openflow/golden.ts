// What goes into ovs-ofctl, and what came out of `ovs-ofctl -O OpenFlow13 parse-flow` of Open vSwitch 3.1.0.
// text/ovs-ofctl.test.ts asks the ovs-ofctl of this machine the same, where there is one.

export const flows: readonly (readonly [given: string, printed: string])[] = [
  ['actions=drop', 'ADD actions=drop'],
  ['priority=0,actions=normal', 'ADD priority=0 actions=NORMAL'],
  [
    'cookie=0x123,table=2,priority=100,in_port=3,dl_vlan=5,dl_vlan_pcp=3,dl_src=00:11:22:00:00:00/ff:ff:ff:00:00:00,idle_timeout=10,hard_timeout=20,send_flow_rem,actions=meter:3,set_field:7->tun_id,output:4,write_metadata:0x5/0xff,goto_table:3',
    'ADD table:2 priority=100,in_port=3,dl_vlan=5,dl_vlan_pcp=3,dl_src=00:11:22:00:00:00/ff:ff:ff:00:00:00 cookie:0x123 idle:10 hard:20 send_flow_rem actions=meter:3,set_field:0x7->tun_id,output:4,write_metadata:0x5/0xff,goto_table:3',
  ],
  [
    'tcp,nw_src=10.0.0.0/8,nw_dst=1.0.3.0/255.0.255.0,tp_src=80,tp_dst=0x50/0xff0,tcp_flags=+syn-ack,actions=load:5->NXM_NX_REG0[0..15],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],move:NXM_NX_REG1[0..3]->OXM_OF_METADATA[4..7],resubmit(,3),resubmit(4,5),controller(max_len=100,meter_id=4,userdata=01.02),load:7->NXM_NX_TUN_ID[]',
    'ADD tcp,nw_src=10.0.0.0/8,nw_dst=1.0.3.0/255.0.255.0,tp_src=80,tp_dst=0x50/0xff0,tcp_flags=+syn-ack actions=load:0x5->NXM_NX_REG0[0..15],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],move:NXM_NX_REG1[0..3]->OXM_OF_METADATA[4..7],resubmit(,3),resubmit(4,5),controller(max_len=100,userdata=01.02,meter_id=4),load:0x7->NXM_NX_TUN_ID[]',
  ],
  [
    'metadata=0,vlan_tci=0,arp,arp_op=2,arp_spa=1.2.3.4,arp_sha=00:00:00:00:00:01,actions=CONTROLLER:128,controller,set_field:1.2.3.4->arp_spa,set_field:1:2:3:4:5:6->eth_dst,push_vlan:0x8100,set_field:0x1005->vlan_vid,set_field:3->vlan_pcp,pop_vlan,group:5,set_queue:4,write_actions(group:7,output:3)',
    'ADD arp,metadata=0,vlan_tci=0x0000/0x1fff,arp_spa=1.2.3.4,arp_op=2,arp_sha=00:00:00:00:00:01 actions=CONTROLLER:128,CONTROLLER:65535,set_field:1.2.3.4->arp_spa,set_field:01:02:03:04:05:06->eth_dst,push_vlan:0x8100,set_field:4101->vlan_vid,set_field:3->vlan_pcp,pop_vlan,group:5,set_queue:4,write_actions(group:7,output:3)',
  ],
  [
    'ip,actions=dec_ttl,set_field:4->ip_dscp,set_field:1->nw_ecn,set_field:7->reg3,set_field:7->pkt_mark,set_field:3->xreg1,set_field:1.2.3.4->tun_src,set_field:1.2.3.4->ip_src,dec_ttl(1,2)',
    'ADD ip actions=dec_ttl,set_field:4->ip_dscp,set_field:1->nw_ecn,set_field:0x7->reg3,set_field:0x7->pkt_mark,set_field:0x3->xreg1,set_field:1.2.3.4->tun_src,set_field:1.2.3.4->ip_src,dec_ttl(1,2)',
  ],
  [
    'tcp,actions=set_field:80->tcp_dst,mod_nw_ttl:4,mod_dl_src:1:2:3:4:5:6,clear_actions',
    'ADD tcp actions=set_field:80->tcp_dst,mod_nw_ttl:4,set_field:01:02:03:04:05:06->eth_src,clear_actions',
  ],
  [
    'icmp6,icmp_type=135,nd_target=fe80::1,ipv6_src=fe80::/64,nd_sll=00:00:00:00:00:01,actions=output:NXM_NX_REG0[],output(port=3,max_len=64),clone(output:1),exit',
    'ADD icmp6,ipv6_src=fe80::/64,icmp_type=135,nd_target=fe80::1,nd_sll=00:00:00:00:00:01 actions=output:NXM_NX_REG0[],output(port=3,max_len=64),clone(output:1),exit',
  ],
  [
    'ip,actions=ct(commit,zone=5,table=3,nat(src=1.2.3.4-1.2.3.5:10-20),exec(load:1->NXM_NX_CT_MARK[]))',
    'ADD ip actions=ct(commit,table=3,zone=5,nat(src=1.2.3.4-1.2.3.5:10-20),exec(load:0x1->NXM_NX_CT_MARK[]))',
  ],
  [
    'icmp6,vlan_tci=0x1000/0x1000,actions=learn(table=3,priority=5,idle_timeout=6,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],NXM_OF_ETH_TYPE[]=0x800,NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15],load:0x5->NXM_NX_REG1[],output:NXM_OF_IN_PORT[])',
    'ADD icmp6,vlan_tci=0x1000/0x1000 actions=learn(table=3,idle_timeout=6,priority=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],eth_type=0x800,NXM_OF_VLAN_TCI[0..11],load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15],load:0x5->NXM_NX_REG1[],output:NXM_OF_IN_PORT[])',
  ],
  [
    'actions=learn(table=3,delete_learned,send_flow_rem,cookie=0x9,limit=10,result_dst=NXM_NX_REG0[3],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])',
    'ADD actions=learn(table=3,send_flow_rem,delete_learned,cookie=0x9,limit=10,result_dst=NXM_NX_REG0[3],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])',
  ],
  ['vlan_vid=0x1000/0x1000,actions=conjunction(5,1/2)', 'ADD vlan_tci=0x1000/0x1000 actions=conjunction(5,1/2)'],
  ['vlan_vid=0x5/0xf,actions=drop', 'ADD vlan_tci=0x0005/0x000f actions=drop'],
  ['dl_vlan_pcp=3,actions=drop', 'ADD dl_vlan_pcp=3 actions=drop'],
  ['conj_id=7,actions=output:1', 'ADD conj_id=7 actions=output:1'],
  [
    'dl_vlan=5,dl_vlan_pcp=3,mpls,mpls_label=5,mpls_tc=3,mpls_bos=1,actions=pop_mpls:0x0800',
    'ADD mpls,dl_vlan=5,dl_vlan_pcp=3,mpls_label=5,mpls_tc=3,mpls_bos=1 actions=pop_mpls:0x0800',
  ],
  [
    'icmp,icmp_type=3,icmp_code=4,actions=controller(reason=no_match,id=4,pause)',
    'ADD icmp,icmp_type=3,icmp_code=4 actions=controller(reason=no_match,id=4,pause)',
  ],
  [
    'reg0=5/0xff,tun_src=1.2.3.4,tun_id=5,ct_state=+trk-new,ct_zone=5,ip,nw_proto=17,nw_tos=32,nw_ecn=1,nw_ttl=3,nw_frag=no,tp_dst=67,in_port=LOCAL,actions=local,in_port,flood,all,normal,table',
    'ADD ct_state=-new+trk,ct_zone=5,udp,reg0=0x5/0xff,tun_id=0x5,tun_src=1.2.3.4,in_port=LOCAL,nw_tos=32,nw_ecn=1,nw_ttl=3,nw_frag=no,tp_dst=67 actions=LOCAL,IN_PORT,FLOOD,ALL,NORMAL,TABLE',
  ],
  [
    'dl_dst=01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0,dl_type=0x88cc,actions=drop',
    'ADD dl_dst=01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0,dl_type=0x88cc actions=drop',
  ],
  [
    'ct_label=0x5,ct_mark=0x5/0xf,tun_flags=oam,metadata=0x7/0xffffffff,priority=0,table=253,actions=note:01.02.03.04.05.06.07',
    'ADD table:253 priority=0,ct_mark=0x5/0xf,ct_label=0x5,tun_flags=+oam,metadata=0x7/0xffffffff actions=note:01.02.03.04.05.06.07.00.00.00.00.00.00.00',
  ],
  [
    'udp6,ipv6_dst=::1,tp_src=4,actions=ct(commit,zone=NXM_NX_REG0[0..15]),set_field:fe80::1->ipv6_src,write_actions(output:3),goto_table:9',
    'ADD udp6,ipv6_dst=::1,tp_src=4 actions=ct(commit,zone=NXM_NX_REG0[0..15]),set_field:fe80::1->ipv6_src,write_actions(output:3),goto_table:9',
  ],
  [
    'tun_dst=1.2.3.0/24,nw_frag=later,ip,nw_src=1.2.3.4/255.255.255.255,actions=resubmit:7,resubmit(8,7),write_metadata:5',
    'ADD ip,tun_dst=1.2.3.0/24,nw_src=1.2.3.4,nw_frag=later actions=resubmit:7,resubmit(8,7),write_metadata:0x5',
  ],
  [
    'sctp,tp_src=7,actions=multipath(symmetric_l4,1024,hrw,12,0,NXM_NX_REG0[])',
    'ADD sctp,tp_src=7 actions=multipath(symmetric_l4,1024,hrw,12,0,NXM_NX_REG0[])',
  ],
  [
    'actions=bundle(eth_src,0,hrw,ofport,members:4,8),bundle_load(eth_src,50,active_backup,ofport,NXM_NX_REG0[],members:4,8)',
    'ADD actions=bundle(eth_src,0,hrw,ofport,members:4,8),bundle_load(eth_src,50,active_backup,ofport,NXM_NX_REG0[],members:4,8)',
  ],
  [
    'actions=push:NXM_NX_REG2[],pop:NXM_NX_REG2[0..3],sample(probability=5,collector_set_id=3),pop_queue,ct_clear,check_pkt_larger(100)->NXM_NX_REG0[0]',
    'ADD actions=push:NXM_NX_REG2[],pop:NXM_NX_REG2[0..3],sample(probability=5,collector_set_id=3,obs_domain_id=0,obs_point_id=0),pop_queue,ct_clear,check_pkt_larger(100)->NXM_NX_REG0[0]',
  ],
  [
    'tcp,actions=fin_timeout(idle_timeout=3,hard_timeout=4)',
    'ADD tcp actions=fin_timeout(idle_timeout=3,hard_timeout=4)',
  ],
  [
    'ipv6,ipv6_label=0x12345,nw_proto=43,actions=set_field:5->ipv6_label',
    'ADD ipv6,ipv6_label=0x12345,nw_proto=43 actions=set_field:0x5->ipv6_label',
  ],
  ['dl_type=0x8035,arp_tpa=10.0.0.1,actions=output:1', 'ADD rarp,arp_tpa=10.0.0.1 actions=output:1'],
  [
    'in_port=1,actions=mod_vlan_vid:17,output:2',
    'ADD in_port=1 actions=push_vlan:0x8100,set_field:4113->vlan_vid,output:2',
  ],
  [
    'dl_vlan=5,actions=mod_vlan_vid:17,mod_vlan_pcp:3',
    'ADD dl_vlan=5 actions=set_field:4113->vlan_vid,set_field:3->vlan_pcp',
  ],
  [
    'actions=push_vlan:0x88a8,set_vlan_vid:99,set_vlan_pcp:1,pop_vlan,mod_vlan_vid:3',
    'ADD actions=push_vlan:0x88a8,set_field:4195->vlan_vid,set_field:1->vlan_pcp,pop_vlan,push_vlan:0x8100,set_field:4099->vlan_vid',
  ],
  ['udp,actions=mod_tp_src:1111,mod_tp_dst:2222', 'ADD udp actions=set_field:1111->udp_src,set_field:2222->udp_dst'],
  [
    'ip,actions=mod_nw_tos:0x40,mod_nw_ecn:2,output=2',
    'ADD ip actions=set_field:16->ip_dscp,set_field:2->nw_ecn,output:2',
  ],
  [
    'actions=push_mpls:0x8847,set_mpls_label:789,set_mpls_tc:4,set_mpls_ttl:32',
    'ADD actions=push_mpls:0x8847,set_field:789->mpls_label,set_field:4->mpls_tc,set_mpls_ttl(32)',
  ],
  [
    'actions=set_tunnel:0x1234,set_tunnel64:0x123456789',
    'ADD actions=set_field:0x1234->tun_id,set_field:0x123456789->tun_id',
  ],
  [
    'tcp,tp_src[6..10]=19,reg0[3]=1,metadata[32..63]=0x5,actions=flood',
    'ADD tcp,reg0=0x8/0x8,metadata=0x500000000/0xffffffff00000000,tp_src=0x4c0/0x7c0 actions=FLOOD',
  ],
  [
    'ct_state=+trk+est,ct_nw_proto=6,ct_nw_src=10.1.2.1/24,ct_tp_src=3/0x1,tcp,actions=drop',
    'ADD ct_state=+est+trk,ct_nw_src=10.1.2.0/24,ct_nw_proto=6,ct_tp_src=0x1/0x1,tcp actions=drop',
  ],
  [
    'metadata=0x1234ffff5678ffff/0xffff0000ffff0000,nw_dst=0.0.0.0/0,ip,tcp,actions=drop',
    'ADD tcp,metadata=0x1234000056780000/0xffff0000ffff0000 actions=drop',
  ],
  [
    'eth,ip6,actions=set_field:1->reg1 controller(pause) resubmit(,2)',
    'ADD ipv6 actions=set_field:0x1->reg1,controller(pause),resubmit(,2)',
  ],
  [
    'packet_type=(1,0x800),nw_dst=192.168.10.30,actions=encap(nsh(md_type=1)),set_field:0x3000->nsh_spi,output:1030',
    'ADD packet_type=(1,0x800),nw_dst=192.168.10.30 actions=encap(nsh(md_type=1)),set_field:0x3000->nsh_spi,output:1030',
  ],
  [
    'ip,actions=encap(nsh(md_type=2,tlv(0x1000,10,0x12345678),tlv(0x2000,20,0xfedcba9876543210))),encap(ethernet),decap()',
    'ADD ip actions=encap(nsh(md_type=2,tlv(0x1000,10,0x12345678),tlv(0x2000,20,0xfedcba9876543210))),encap(ethernet),decap()',
  ],
  [
    'actions=encap(mpls),encap(mpls_mc),decap(packet_type(ns=1,type=0x8847))',
    'ADD actions=encap(mpls),encap(mpls_mc),decap(packet_type(ns=1,type=0x8847))',
  ],
  ['actset_output=unset,actions=output:7', 'ADD actset_output=UNSET actions=output:7'],
  [
    'actset_output=8,actions=set_field:0->reg1,set_field:0->metadata',
    'ADD actset_output=8 actions=set_field:0->reg1,set_field:0->metadata',
  ],
  [
    'ip,actions=ct(commit,exec(load:0x1->NXM_NX_CT_LABEL[]))',
    'ADD ip actions=ct(commit,exec(load:0x1->NXM_NX_CT_LABEL[0..63],load:0->NXM_NX_CT_LABEL[64..127]))',
  ],
  [
    'actions=load:0x0123456789abcdeffedcba9876543210->NXM_NX_XXREG1[]',
    'ADD actions=load:0xfedcba9876543210->NXM_NX_XXREG1[0..63],load:0x123456789abcdef->NXM_NX_XXREG1[64..127]',
  ],
  [
    'in_port=1,udp,actions=learn(table=11,in_port=99,dl_type=0x0800,nw_proto=17,udp_src=udp_dst,limit=1,result_dst=reg0[0],load:in_port->reg1[16..31]),resubmit(,1)',
    'ADD udp,in_port=1 actions=learn(table=11,limit=1,result_dst=NXM_NX_REG0[0],in_port=99,eth_type=0x800,nw_proto=17,NXM_OF_UDP_SRC[]=NXM_OF_UDP_DST[],load:NXM_OF_IN_PORT[]->NXM_NX_REG1[16..31]),resubmit(,1)',
  ],
  [
    'tcp6,actions=learn(table=1,eth_type=0x86dd,nw_proto=6,ipv6_dst=2001:db8::1,load(0x20010db885a308d313198a2e03707348->NXM_NX_IPV6_DST[]))',
    'ADD tcp6 actions=learn(table=1,eth_type=0x86dd,nw_proto=6,ipv6_dst=2001:db8::1,load:0x20010db885a308d313198a2e03707348->NXM_NX_IPV6_DST[])',
  ],
  [
    'actions=bundle(symmetric_l3,0,hrw,ofport,members:[1,2,3])',
    'ADD actions=bundle(symmetric_l3,0,hrw,ofport,members:1,2,3)',
  ],
]
