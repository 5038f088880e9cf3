package sqswal

import (
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

// CredentialSource says where credentials come from: the first of its parts that
// is set, or else the machine's role.
type CredentialSource struct {
	// AccessKeyID with its secret, and with a token where they are temporary, as
	// Lambda gives them for the life of a process.
	AccessKeyID, SecretAccessKey, SessionToken string
	// EndpointURL is where a container asks for credentials (EKS), EndpointPath
	// the same as a path of the address that ECS has for it. TokenFile, if set,
	// holds what to send as Authorization; it is read each time.
	EndpointURL, EndpointPath string
	TokenFile                 string
}

// ecsEndpoint is where ECS serves the credentials of a task.
const ecsEndpoint = "http://169.254.170.2"

// Credentials makes the provider of a source, without a request. What expires is
// renewed before it does. The SDK's own search for credentials is left alone: it
// costs a function more time to start than all of its other parts together.
func Credentials(s CredentialSource) aws.CredentialsProvider {
	if s.AccessKeyID != "" {
		return credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)
	}
	endpoint := s.EndpointURL
	if s.EndpointPath != "" {
		endpoint = ecsEndpoint + s.EndpointPath
	}
	if endpoint == "" {
		return aws.NewCredentialsCache(ec2rolecreds.New())
	}
	return aws.NewCredentialsCache(endpointcreds.New(endpoint, func(o *endpointcreds.Options) {
		if s.TokenFile != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				token, err := os.ReadFile(s.TokenFile)
				return strings.TrimSpace(string(token)), err
			})
		}
	}))
}
