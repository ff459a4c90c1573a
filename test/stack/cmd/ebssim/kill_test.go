//go:build stack

package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

const asProgram = "EBSSIM_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const killOptions = `{"limits": {"snapshotBase": "1ms"}, "zones": ["eu-central-1a"],
  "users": [{"name": "admin", "accessKeyID": "AKIASIM", "secretAccessKey": "not-a-real-secret"}]}`

// launch starts the program as a process of its own.
func launch(t *testing.T, config, dir string) (*exec.Cmd, *ec2.Client) {
	t.Helper()
	program := exec.Command(os.Args[0], "--config", config, "--dir", dir)
	program.Env = append(os.Environ(), asProgram+"=1")
	program.Stderr = os.Stderr
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Process.Kill(); program.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return program, ec2.New(ec2.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(strings.TrimSpace(strings.TrimPrefix(line, "serving on "))),
		Retryer:     aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIASIM", "not-a-real-secret", ""),
	})
}

// keep makes volumes and snapshots until the program is gone and returns the ids
// that were answered.
func keep(ctx context.Context, client *ec2.Client, answers chan<- string) {
	for {
		v, err := client.CreateVolume(ctx, &ec2.CreateVolumeInput{AvailabilityZone: aws.String("eu-central-1a"), Size: aws.Int32(1)})
		if err != nil {
			return
		}
		answers <- *v.VolumeId
		s, err := client.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: v.VolumeId})
		if err != nil {
			return
		}
		answers <- *s.SnapshotId
	}
}

// answersBeforeKill is how many answers of a round come before its kill: a slow machine
// takes longer, and the test proves as much.
const answersBeforeKill = 30

// What was answered before a kill -9 is there after it, with its directory; what
// was not is whole or not there at all.
func TestKilledSimulatorLosesNothing(t *testing.T) {
	path, dir := config(t, killOptions), t.TempDir()
	var answered []string
	for range 3 {
		program, client := launch(t, path, dir)
		answers, before := make(chan string), len(answered)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { keep(t.Context(), client, answers) })
		}
		go func() {
			all.Wait()
			close(answers)
		}()
		for id := range answers {
			answered = append(answered, id)
			if len(answered) != before+answersBeforeKill {
				continue
			}
			if err := program.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, client := launch(t, path, dir)
	found := everything(t, client)
	for _, id := range answered {
		if !found[id] {
			t.Errorf("%s was answered and is lost", id)
		}
	}
	onDisk(t, dir, found)
}

func everything(t *testing.T, client *ec2.Client) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	// On a loopback a long answer can begin before net/http has seen the end of the request's
	// body, which the SDK has closed by then: the connection is lost, and a reader asks again.
	repeat := func(o *ec2.Options) { o.Retryer = retry.NewStandard() }
	volumes, err := client.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{}, repeat)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Volumes {
		found[*v.VolumeId] = true
	}
	snapshots, err := client.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{}, repeat)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snapshots.Snapshots {
		found[*s.SnapshotId] = true
	}
	return found
}

// onDisk: directories and records are the same set.
func onDisk(t *testing.T, dir string, found map[string]bool) {
	t.Helper()
	count := 0
	for _, kind := range []string{"volumes", "snapshots"} {
		entries, err := os.ReadDir(dir + "/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			count++
			if !found[entry.Name()] {
				t.Errorf("%s has data and no record", entry.Name())
			}
		}
	}
	if count != len(found) {
		t.Errorf("%d directories for %d records", count, len(found))
	}
}
