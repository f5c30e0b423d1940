// sarama: topic, produce, consume in a group, administrate.
//
//	sarama BOOTSTRAP TOPIC GROUP COUNT WRITES READS
//
// WRITES and READS get one line an operation, as tests/system/rig/check.py reads them.
// LOGIN=aws logs in with AWS's signer and the AWS_* variables, LOGIN=plain with LOGIN_USER and
// LOGIN_SECRET; CA_FILE means TLS.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/aws/aws-msk-iam-sasl-signer-go/signer"
)

const partitions = 6

func must(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

type journal struct {
	sync.Mutex
	file *os.File
	out  *bufio.Writer
}

func newJournal(path string) *journal {
	file, err := os.Create(path)
	must(err, "create "+path)
	return &journal{file: file, out: bufio.NewWriter(file)}
}

func (j *journal) line(format string, args ...any) {
	j.Lock()
	defer j.Unlock()
	fmt.Fprintf(j.out, format+"\n", args...)
}

func (j *journal) close() {
	must(j.out.Flush(), "write")
	must(j.file.Close(), "close")
}

func settings() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.ClientID = "sarama"
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	// Brokers may learn of a new topic, or lead it, a moment later than others.
	c.Producer.Retry.Max = 200
	c.Metadata.Retry.Max = 20
	c.Admin.Timeout = 30 * time.Second
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Return.Errors = true
	login(c)
	return c
}

type awsTokens struct{}

func (awsTokens) Token() (*sarama.AccessToken, error) {
	token, _, err := signer.GenerateAuthToken(context.Background(), os.Getenv("AWS_REGION"))
	return &sarama.AccessToken{Token: token}, err
}

func login(c *sarama.Config) {
	if path := os.Getenv("CA_FILE"); path != "" {
		pem, err := os.ReadFile(path)
		must(err, "CA_FILE")
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		c.Net.TLS.Enable = true
		c.Net.TLS.Config = &tls.Config{RootCAs: roots}
	}
	if os.Getenv("LOGIN") == "plain" {
		c.Net.SASL.Enable = true
		c.Net.SASL.Mechanism = sarama.SASLTypePlaintext
		c.Net.SASL.User = os.Getenv("LOGIN_USER")
		c.Net.SASL.Password = os.Getenv("LOGIN_SECRET")
	}
	if os.Getenv("LOGIN") == "aws" {
		c.Net.SASL.Enable = true
		c.Net.SASL.Mechanism = sarama.SASLTypeOAuth
		c.Net.SASL.TokenProvider = awsTokens{}
	}
}

func makeTopic(admin sarama.ClusterAdmin, topic string) {
	err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 3}, false)
	must(err, "create topic")
	for end := time.Now().Add(30 * time.Second); ; {
		seen, err := admin.DescribeTopics([]string{topic})
		ready := err == nil && len(seen) == 1 && len(seen[0].Partitions) == partitions
		if ready {
			for _, p := range seen[0].Partitions {
				ready = ready && p.Leader >= 0
			}
		}
		if ready {
			return
		}
		if time.Now().After(end) {
			must(fmt.Errorf("no leaders"), "describe topic")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func produce(brokers []string, topic string, count int, writes *journal) {
	producer, err := sarama.NewAsyncProducer(brokers, settings())
	must(err, "producer")
	go func() {
		for seq := 0; seq < count; seq++ {
			p := seq % partitions
			value := fmt.Sprintf("%s/%d/sarama/%d/c", topic, p, seq)
			producer.Input() <- &sarama.ProducerMessage{Topic: topic, Partition: int32(p), Value: sarama.StringEncoder(value), Metadata: seq}
		}
		producer.AsyncClose()
	}()
	var wait sync.WaitGroup
	wait.Add(1)
	go func() {
		defer wait.Done()
		for e := range producer.Errors() {
			must(e.Err, "produce")
		}
	}()
	for m := range producer.Successes() {
		writes.line("A %d %s %d %d", m.Metadata.(int), m.Topic, m.Partition, m.Offset)
	}
	wait.Wait()
}

type member struct {
	reads *journal
	seen  func(partition int32, offset int64)
}

func (m *member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case r, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			m.reads.line("R %s %d %d %s", r.Topic, r.Partition, r.Offset, r.Value)
			s.MarkMessage(r, "")
			m.seen(r.Partition, r.Offset)
		case <-s.Context().Done():
			return nil
		}
	}
}

func consume(brokers []string, topic, group string, count int, reads *journal) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	var lock sync.Mutex
	places := map[string]bool{}
	seen := func(p int32, o int64) {
		lock.Lock()
		defer lock.Unlock()
		places[fmt.Sprint(p, "@", o)] = true
		if len(places) >= count {
			cancel()
		}
	}
	var wait sync.WaitGroup
	for i := 0; i < 2; i++ {
		g, err := sarama.NewConsumerGroup(brokers, group, settings())
		must(err, "group")
		wait.Add(1)
		go func() {
			for err := range g.Errors() {
				fmt.Fprintln(os.Stderr, "group:", err)
			}
		}()
		go func() {
			defer wait.Done()
			for ctx.Err() == nil {
				if err := g.Consume(ctx, []string{topic}, &member{reads, seen}); err != nil && ctx.Err() == nil {
					must(err, "consume")
				}
			}
			must(g.Close(), "close group")
		}()
	}
	wait.Wait()
	if len(places) < count {
		must(fmt.Errorf("%d records of %d", len(places), count), "consume")
	}
}

func main() {
	brokers, topic, group := strings.Split(os.Args[1], ","), os.Args[2], os.Args[3]
	count, err := strconv.Atoi(os.Args[4])
	must(err, "count")
	admin, err := sarama.NewClusterAdmin(brokers, settings())
	must(err, "admin")
	makeTopic(admin, topic)

	writes := newJournal(os.Args[5])
	produce(brokers, topic, count, writes)
	writes.close()
	reads := newJournal(os.Args[6])
	consume(brokers, topic, group, count, reads)
	reads.close()

	groups, err := admin.ListConsumerGroups()
	must(err, "list groups")
	if _, there := groups[group]; !there {
		must(fmt.Errorf("%s is not among %d", group, len(groups)), "list groups")
	}
	described, err := admin.DescribeConsumerGroups([]string{group})
	must(err, "describe group")
	if len(described) != 1 || described[0].Err != sarama.ErrNoError {
		must(fmt.Errorf("%v", described), "describe group")
	}
	offsets, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	must(err, "offsets")
	if b := offsets.GetBlock(topic, 0); b == nil || b.Offset <= 0 {
		must(fmt.Errorf("%v", b), "offsets")
	}
	must(admin.DeleteConsumerGroup(group), "delete group")
	must(admin.Close(), "close")
}
