package monitoring_test

import (
	"context"
	"log/slog"
	"math"
	"net/url"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

// prometheus is Prometheus's storage and query engine.
type prometheus struct {
	t      testing.TB
	db     *tsdb.DB
	engine *promql.Engine
	parser parser.Parser
}

func newPrometheus(t testing.TB) *prometheus {
	t.Helper()
	o := tsdb.DefaultOptions()
	o.RetentionDuration, o.MinBlockDuration = math.MaxInt64, int64(365*24*time.Hour/time.Millisecond) // all of it in memory
	o.MaxBlockDuration = o.MinBlockDuration
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, o, tsdb.NewDBStats())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p := parser.NewParser(parser.Options{})
	return &prometheus{t: t, db: db, parser: p, engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: p,
		NoStepSubqueryIntervalFn: func(int64) int64 { return 60_000 },
	})}
}

// query is the answer to an instant query.
func (p *prometheus) query(ctx context.Context, text string, at time.Time) (promql.Vector, error) {
	q, err := p.engine.NewInstantQuery(ctx, p.db, nil, text, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return q.Exec(ctx).Vector()
}

// store stores what a scrape of a worker has found. Histograms are left out: no alert is about them.
func (p *prometheus) store(instance string, families []*dto.MetricFamily, at time.Time) {
	p.t.Helper()
	appender := p.db.Appender(context.Background())
	for _, f := range families {
		for _, m := range f.GetMetric() {
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			if m.GetHistogram() != nil {
				continue
			}
			series := labels.NewBuilder(labels.EmptyLabels()).Set(model.MetricNameLabel, f.GetName()).Set("instance", instance)
			for _, l := range m.GetLabel() {
				series.Set(l.GetName(), l.GetValue())
			}
			if _, err := appender.Append(0, series.Labels(), at.UnixMilli(), value); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	if err := appender.Commit(); err != nil {
		p.t.Fatal(err)
	}
}

// load loads a rule file, and refuses what Prometheus would.
func (p *prometheus) load(file string) *rules.Group {
	p.t.Helper()
	m := rules.NewManager(&rules.ManagerOptions{
		NameValidationScheme: model.UTF8Validation, ExternalURL: &url.URL{}, Context: p.t.Context(), Logger: slog.New(slog.DiscardHandler),
		QueryFunc: rules.EngineQueryFunc(p.engine, p.db), Queryable: p.db, AppendableV2: p.db, Parser: p.parser,
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
	})
	groups, errs := m.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, file)
	if len(errs) > 0 || len(groups) != 1 {
		p.t.Fatal(len(groups), errs)
	}
	for _, g := range groups {
		return g
	}
	return nil
}
