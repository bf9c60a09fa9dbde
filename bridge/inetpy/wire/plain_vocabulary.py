"""The atoms that Python sends of plain sockets, besides the names of protocols: these are the host's.

`vocabulary` has those of all other sockets.
"""

from __future__ import annotations

__all__ = ["PLAIN_ATOMS"]

# messages, refusals, fields of info and of control messages, values of options
_WORDS = (
    "$socket abort acc_fails acc_success acc_tries acc_waits accepting adaptation_layer addr_unreach "
    "address adm_prohibited already appletlk arcnet asocmaxrxt assoc_id association atm ax25 "
    "bad_generator base_addr bound case_clause chaos closing code cookie_life counters credentials ctrl "
    "ctype data data_io default dest_unreach dgram dhcprunning dlci dma do domain dont eei eether "
    "element_not_binary ether eui64 exclude frag_needed hatype hoplimit host_unreach how icmp icmp6 "
    "ieee1394 ieee802 if_clause ifindex improper_list include infiniband initial integer_range interface "
    "invalid io_backend ioctl_request iov iov_max iow ipv6 irq kernel keys level linger list listening "
    "local_rwnd localtlk lowdelay max max_attempts max_init_timeo max_instreams mem_end mem_start "
    "metricom min mincost mode more msg msg_flag msg_flags multiaddr name net_unreach netns netrom none "
    "normal noroute not_found not_neighbour not_owner notsup null num_acceptors num_cnt_bits num_dinet "
    "num_dinet6 num_dlocal num_outstreams num_pip num_psctp num_ptcp num_pudp num_readers num_sockets "
    "num_tdgrams num_tseqpkgs num_tstreams num_writers number_peer_destinations offender onoff options "
    "origdstaddr origin otherhost otp_socket_option outgoing owner packet partial_delivery path "
    "peer_error peer_rwnd pkt_toobig pktinfo pkttype plain policy_fail port_unreach private probe pronet "
    "protocol raw rdm read_byte read_fails read_pkg read_pkg_max read_tries read_waits ready recverr "
    "reject_route reliability rights rstates sctp sec select select_read select_sent selected "
    "send_failure sendfile seqpacket shutdown slist sockaddr socket_debug socket_option sourceaddr "
    "spec_dst sr_failed state stream tcp throughput throw time_exceeded timestamp tunnel tunnel6 type udp "
    "undef unix_essio unlisted unselect unspec use_registry usec user value value_spec void want "
    "write_byte write_fails write_pkg write_pkg_max write_tries write_waits wstates"
)

# options, flags and requests that `socket` has names for
_NAMES = (
    "acceptconn acceptfilter adaption_layer add_membership add_source_membership addrform allmulti "
    "associnfo atmark auth_active_key auth_chunk auth_delete_key auth_key auth_level authhdr autoclose "
    "automedia bindtodevice block_source broadcast bsp_state busy_poll cantconfig checksum cmsg_cloexec "
    "confirm congestion context cork ctrunc debug default_send_params delayed_ack_time disable_fragments "
    "dontfrag dontroute dormant drop_membership drop_source_membership dstopts dying dynamic echo eor "
    "error errqueue esp_network_level esp_trans_level events exclusiveaddruse explicit_eor faith flowinfo "
    "fragment_interleave freebind get_peer_addr_info gifaddr gifbrdaddr gifconf gifdstaddr gifflags "
    "gifhwaddr gifindex gifmap gifmtu gifname gifnetmask giftxqlen hdrincl hmac_ident hopopts "
    "i_want_mapped_v4_addr info initmsg ioctl_flags ioctl_requests ipcomp_level join_group keepalive "
    "keepcnt keepidle keepintvl knowsepoch leave_group link0 link1 link2 local_auth_chunks loopback "
    "lower_up mark master max_msg_size maxburst maxdg maxseg md5sig minttl monitor msfilter mtu "
    "mtu_discover multicast multicast_all multicast_hops multicast_if multicast_loop multicast_ttl noarp "
    "nodefrag nodelay nogroup noopt nopush nosignal notrailers nread oactive oob oobinline "
    "partial_delivery_point passcred peek peek_off peer_addr_params peer_auth_chunks peercred pktoptions "
    "pointopoint portrange portsel ppromisc primary_addr priority promisc protocols rcvbuf rcvbufforce "
    "rcvlowat rcvtimeo recvdstaddr recvhoplimit recvif recvopts recvorigdstaddr recvpktinfo recvtclass "
    "recvtos recvttl renaming reset_streams retopts reuseaddr reuseport router_alert rthdr rtoinfo "
    "running rxq_ovfl sendsrcaddr set_peer_primary_addr setfib sifaddr sifbrdaddr sifdstaddr sifflags "
    "sifmtu siftxqlen simplex slave sndbuf sndbufforce sndlowat sndtimeo staticarp status syncnt tclass "
    "tos transparent trunc ttl unblock_source unicast_hops up use_ext_recvinfo use_min_mtu user_timeout "
    "v6only"
)

PLAIN_ATOMS = frozenset(f"{_WORDS} {_NAMES}".split())
