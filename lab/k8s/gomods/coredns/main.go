// CoreDNS with the plugins that a hosts file needs: those of its release that talk to clouds take minutes to compile.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
)

func init() { dnsserver.Directives = []string{"bind", "errors", "hosts"} }

func main() { coremain.Run() }
