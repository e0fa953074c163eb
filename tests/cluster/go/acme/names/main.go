// Command names is the name server of an ACME test: the only one of its zone, to which an authority, proxies and updaters of records turn.
//
// Every name of the zone has one address; texts are set by dynamic updates that a key signs (RFC 2136, RFC 8945) or by an HTTPS webhook. It
// says on standard output which texts come and go, by name alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const ttl = 1

var (
	listen    = flag.String("listen", ":8053", "where questions and updates come in, by UDP and by TCP")
	zone      = flag.String("zone", "", "the zone")
	self      = flag.String("self", "", "the address of the zone's own name server, which is this program")
	target    = flag.String("target", "", "what every other name leads to: an address, or a name whose address is looked up at each question")
	key       = flag.String("key", "", "the name of the key of updates; its secret, in base64, is in NAMES_KEY")
	webhook   = flag.String("webhook", "", "where the webhook comes in; its token is in NAMES_TOKEN")
	tlsChain  = flag.String("certificate", "", "the webhook's certificate, a file of PEM")
	tlsSecret = flag.String("certificate-key", "", "its key, a file of PEM")
)

// The texts of each name, in lower case with its last dot.
type records struct {
	sync.RWMutex
	texts map[string][]string
}

func (r *records) add(name, text string) {
	r.Lock()
	defer r.Unlock()
	name = dns.CanonicalName(name)
	if !slices.Contains(r.texts[name], text) {
		r.texts[name] = append(r.texts[name], text)
		log.Printf("text added to %s (%d)", name, len(r.texts[name]))
	}
}

// Without a text, all of the name's go.
func (r *records) remove(name string, text *string) {
	r.Lock()
	defer r.Unlock()
	name = dns.CanonicalName(name)
	before := len(r.texts[name])
	left := slices.DeleteFunc(r.texts[name], func(one string) bool { return text == nil || one == *text })
	r.texts[name] = left
	if len(left) == 0 {
		delete(r.texts, name)
	}
	if len(left) < before {
		log.Printf("text removed from %s (%d)", name, len(left))
	}
}

func (r *records) of(name string) []string {
	r.RLock()
	defer r.RUnlock()
	return slices.Clone(r.texts[dns.CanonicalName(name)])
}

func main() {
	flag.Parse()
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	if *zone == "" || *target == "" || *self == "" {
		log.Fatal("names: -zone, -self and -target are needed")
	}
	*zone = dns.CanonicalName(*zone)
	kept := &records{texts: map[string][]string{}}
	ended := make(chan error)
	for _, network := range []string{"udp", "tcp"} {
		server := &dns.Server{Addr: *listen, Net: network, Handler: dns.HandlerFunc(kept.answer), MsgAcceptFunc: accept}
		if *key != "" {
			server.TsigSecret = map[string]string{dns.CanonicalName(*key): os.Getenv("NAMES_KEY")}
		}
		go func() { ended <- server.ListenAndServe() }()
	}
	if *webhook != "" {
		handler := hook(kept, os.Getenv("NAMES_TOKEN"))
		go func() { ended <- http.ListenAndServeTLS(*webhook, *tlsChain, *tlsSecret, handler) }()
	}
	log.Fatal(<-ended)
}

// What miekg/dns takes by itself, and updates.
func accept(header dns.Header) dns.MsgAcceptAction {
	if opcode := int(header.Bits>>11) & 0xF; opcode == dns.OpcodeUpdate {
		return dns.MsgAccept
	}
	return dns.DefaultMsgAcceptFunc(header)
}

func (r *records) answer(w dns.ResponseWriter, asked *dns.Msg) {
	reply := new(dns.Msg)
	reply.SetReply(asked)
	reply.Authoritative = true
	switch {
	case len(asked.Question) != 1 || !dns.IsSubDomain(*zone, dns.CanonicalName(asked.Question[0].Name)):
		reply.Rcode = dns.RcodeRefused
	case asked.Opcode == dns.OpcodeUpdate:
		reply.Rcode = r.update(w, asked)
	case asked.Opcode == dns.OpcodeQuery:
		r.look(reply, asked.Question[0])
	default:
		reply.Rcode = dns.RcodeNotImplemented
	}
	if signed := asked.IsTsig(); signed != nil {
		reply.SetTsig(signed.Hdr.Name, signed.Algorithm, 300, time.Now().Unix())
	}
	if err := w.WriteMsg(reply); err != nil {
		log.Printf("no answer: %v", err)
	}
}

func head(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}

func (r *records) look(reply *dns.Msg, question dns.Question) {
	name := dns.CanonicalName(question.Name)
	own, apex := "ns."+*zone, name == *zone
	soa := &dns.SOA{Hdr: head(*zone, dns.TypeSOA), Ns: own, Mbox: "hostmaster." + *zone, Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: ttl}
	switch {
	case question.Qtype == dns.TypeSOA && apex:
		reply.Answer = append(reply.Answer, soa)
	case question.Qtype == dns.TypeNS && apex:
		reply.Answer = append(reply.Answer, &dns.NS{Hdr: head(name, dns.TypeNS), Ns: own})
	case question.Qtype == dns.TypeA && name == own:
		reply.Answer = append(reply.Answer, &dns.A{Hdr: head(name, dns.TypeA), A: net.ParseIP(*self)})
	case question.Qtype == dns.TypeA && !strings.HasPrefix(name, "_"):
		for _, address := range addresses() {
			reply.Answer = append(reply.Answer, &dns.A{Hdr: head(name, dns.TypeA), A: address})
		}
	case question.Qtype == dns.TypeTXT:
		for _, text := range r.of(name) {
			reply.Answer = append(reply.Answer, &dns.TXT{Hdr: head(name, dns.TypeTXT), Txt: []string{text}})
		}
	}
	if len(reply.Answer) == 0 {
		reply.Ns = append(reply.Ns, soa) // no data (RFC 2308)
	}
}

func addresses() []net.IP {
	limited, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupIP(limited, "ip4", *target)
	if err != nil {
		log.Printf("no address of %s: %v", *target, err)
	}
	return found
}

// The update section (RFC 2136 section 2.5) of a message that the key has signed; of the texts alone.
func (r *records) update(w dns.ResponseWriter, asked *dns.Msg) int {
	if asked.IsTsig() == nil || w.TsigStatus() != nil {
		log.Printf("an update that no key of ours has signed: %v", w.TsigStatus())
		return dns.RcodeNotAuth
	}
	if question := asked.Question[0]; dns.CanonicalName(question.Name) != *zone || question.Qtype != dns.TypeSOA {
		return dns.RcodeNotZone
	}
	for _, change := range asked.Ns {
		header := change.Header()
		if !dns.IsSubDomain(*zone, dns.CanonicalName(header.Name)) {
			return dns.RcodeNotZone
		}
		text, isText := change.(*dns.TXT)
		switch {
		case header.Class == dns.ClassINET && isText:
			r.add(header.Name, strings.Join(text.Txt, ""))
		case header.Class == dns.ClassNONE && isText:
			one := strings.Join(text.Txt, "")
			r.remove(header.Name, &one)
		case header.Class == dns.ClassANY && (header.Rrtype == dns.TypeTXT || header.Rrtype == dns.TypeANY):
			r.remove(header.Name, nil)
		default:
			log.Printf("an update of something else than texts: %s", fmt.Sprint(dns.TypeToString[header.Rrtype]))
			return dns.RcodeRefused
		}
	}
	return dns.RcodeSuccess
}
