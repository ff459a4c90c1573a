package awsconf

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

// TestResult: that there is no such object is an answer; asking for less, refusing and not
// answering are told apart.
func TestResult(t *testing.T) {
	answer := func(status int, code string) error {
		return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: &smithy.GenericAPIError{Code: code}}
	}
	for _, tt := range []struct {
		status int
		err    error
		want   string
	}{
		{200, nil, telemetry.ResultOK},
		{404, answer(404, "NoSuchKey"), telemetry.ResultOK},
		{412, answer(412, "PreconditionFailed"), telemetry.ResultOK},
		{503, answer(503, "SlowDown"), telemetry.ResultThrottled},
		{400, answer(400, "RequestLimitExceeded"), telemetry.ResultThrottled},
		{429, answer(429, "Whatever"), telemetry.ResultThrottled},
		{403, answer(403, "AccessDenied"), telemetry.ResultRefused},
		{0, errors.New("connection reset by peer"), telemetry.ResultLost},
	} {
		if got := resultOf(tt.status, tt.err); got != tt.want {
			t.Errorf("%d %v: %s, want %s", tt.status, tt.err, got, tt.want)
		}
	}
}

// TestThrottled: each attempt that was asked for less is counted, by service and operation.
func TestThrottled(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	calls, err := telemetry.NewCalls(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	refuse := middleware.FinalizeHandlerFunc(func(context.Context, middleware.FinalizeInput) (out middleware.FinalizeOutput, meta middleware.Metadata, err error) {
		return out, meta, &smithy.GenericAPIError{Code: "SlowDown"}
	})
	for range 3 {
		_, _, _ = measureAttempt(telemetry.WithCalls(t.Context(), calls), middleware.FinalizeInput{}, refuse)
	}
	_, _, _ = measureAttempt(t.Context(), middleware.FinalizeInput{}, refuse) // nobody measures
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && (m.Name != "lifeboat.api.throttled" || sum.DataPoints[0].Value != 3) {
			t.Errorf("%s is %d", m.Name, sum.DataPoints[0].Value)
		}
	}
}
