package wire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// EC2Namespace and STSNamespace are the XML namespaces of the two protocols.
const (
	EC2Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
	STSNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

// Tag is a key and a value, as both protocols' lists have it.
type Tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// Error is an answer with a published code. Status is the HTTP status.
type Error struct {
	Status        int
	Code, Message string
}

// Error is "code: message".
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Invalid is a client error with status 400.
func Invalid(code, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsError gives an error its shape on the wire: what is no Error is InternalError.
func AsError(err error) *Error {
	if known := new(Error); errors.As(err, &known) {
		return known
	}
	return &Error{Status: http.StatusInternalServerError, Code: "InternalError", Message: err.Error()}
}

// Time is how both protocols write a moment; the zero time is no element.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// EC2Response is <ActionResponse> with the request id first, then body's fields.
func EC2Response(action, requestID string, body any) ([]byte, error) {
	inner, err := fields(body)
	if err != nil {
		return nil, err
	}
	return encode(struct {
		XMLName   xml.Name
		NS        string `xml:"xmlns,attr"`
		RequestID string `xml:"requestId"`
		Inner     []byte `xml:",innerxml"`
	}{xml.Name{Local: action + "Response"}, EC2Namespace, requestID, inner})
}

// STSResponse wraps body's fields in <ActionResult>, as the AWS query protocol does.
func STSResponse(action, requestID string, body any) ([]byte, error) {
	inner, err := fields(body)
	if err != nil {
		return nil, err
	}
	result := fmt.Sprintf("<%sResult>%s</%sResult>", action, inner, action)
	return encode(struct {
		XMLName xml.Name
		NS      string `xml:"xmlns,attr"`
		Inner   string `xml:",innerxml"`
		ID      string `xml:"ResponseMetadata>RequestId"`
	}{xml.Name{Local: action + "Response"}, STSNamespace, result, requestID})
}

// EC2Error is <Response><Errors><Error>.
func EC2Error(e *Error, requestID string) ([]byte, error) {
	return encode(struct {
		XMLName   xml.Name `xml:"Response"`
		Code      string   `xml:"Errors>Error>Code"`
		Message   string   `xml:"Errors>Error>Message"`
		RequestID string   `xml:"RequestID"`
	}{Code: e.Code, Message: e.Message, RequestID: requestID})
}

// STSError is <ErrorResponse><Error>.
func STSError(e *Error, requestID string) ([]byte, error) {
	side := "Sender"
	if e.Status >= http.StatusInternalServerError {
		side = "Receiver"
	}
	return encode(struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		NS        string   `xml:"xmlns,attr"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}{NS: STSNamespace, Type: side, Code: e.Code, Message: e.Message, RequestID: requestID})
}

func encode(v any) ([]byte, error) {
	text, err := xml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return append([]byte(xml.Header), text...), nil
}

// fields is the elements of a struct without one around them.
func fields(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	var out bytes.Buffer
	encoder := xml.NewEncoder(&out)
	if err := encoder.EncodeElement(body, xml.StartElement{Name: xml.Name{Local: "x"}}); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(out.Bytes(), []byte("<x>")), []byte("</x>")), nil
}
